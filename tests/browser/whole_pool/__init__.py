"""Tests before one pool at work; they leave it as well as they found it."""
