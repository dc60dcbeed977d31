"""Scoring one dataset against another."""
