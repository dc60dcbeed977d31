"""What Celery says when a worker is asked to stop, as a line of JSON like all others."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from celery.apps import worker

from maskpool.logs import JsonLines


def as_json() -> None:
    """Have Celery's own words at a signal written as lines of JSON from now on."""
    worker.safe_say = _say


def _say(message: str, file: TextIO | None = None) -> None:  # noqa: ARG001 - Celery passes it
    """Write one line; a handler of signals must not wait for a lock of ``logging``.

    Args:
        message: Celery's words.
        file: Where Celery would write them; passed over.
    """
    record = logging.LogRecord("celery.apps.worker", logging.INFO, "", 0, message, None, None)
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _line(record))


def _line(record: logging.LogRecord) -> bytes:
    return f"{JsonLines().format(record)}\n".encode()
