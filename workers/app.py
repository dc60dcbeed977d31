"""The Celery application: ``celery -A workers.app worker`` and ``celery -A workers.app flower``.

Importing it loads no torch; the models come with the worker process (``workers.process``).
"""

from __future__ import annotations

from shell.app import make_app

app = make_app("workers.tasks")
