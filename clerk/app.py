"""The clerk's Celery application."""

from __future__ import annotations

from shell.app import make_app

app = make_app("clerk.tasks")
