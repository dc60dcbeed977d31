"""Replacements of parts of Celery and kombu: which messages are let in, and when events go out."""
