"""One way of logging for every process: readable lines, or one JSON object a line."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from types import TracebackType
from typing import Literal

from maskpool.text import readable

#: Attributes that code may pass with ``extra=`` and that JSON lines carry as fields.
CONTEXT = ("batch", "chunk", "job", "task", "worker")

#: Context that every line of this process carries.
_always: dict[str, str] = {}


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and the context that is known."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line of JSON."""
        entry: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= _always
        entry |= {key: str(getattr(record, key)) for key in CONTEXT if hasattr(record, key)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class TextLines(logging.Formatter):
    """Readable lines: names of images may hold anything, and must not pass for lines of ours."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line, without controls; what follows a line feed in the message is set in."""
        record.message = readable(record.message).replace("\n", "\n    ")
        return super().formatMessage(record)


def always(**context: object) -> None:
    """Have every JSON line carry these fields, of those in ``CONTEXT``, unless it has its own."""
    _always.update({key: str(value) for key, value in context.items()})


def configure(log_format: Literal["text", "json"], level: str) -> None:
    """Log to standard error; replaces what was set up before."""
    if log_format == "json" and isinstance(sys.stderr, io.TextIOWrapper):
        # JSON is UTF-8 whatever the locale; a bad byte of a path becomes JSON's own escape.
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines()
        if log_format == "json"
        else TextLines("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if log_format == "json":
        # What Python writes by itself would be a line that no reader of JSON can read.
        logging.captureWarnings(True)
        sys.excepthook = _log_uncaught
    # At INFO these write a line for each message and each request.
    for chatty in ("botocore", "boto3", "urllib3", "s3transfer", "alembic", "celery.app.trace"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def in_json() -> bool:
    """Whether this process was told to log JSON."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)


def say(who: str, sentence: str) -> None:
    """The last word of a process that ends, as a readable line or as a line of JSON.

    Args:
        who: The program, such as ``maskpool worker``.
        sentence: Why it ends.
    """
    if not logging.getLogger().handlers and os.environ.get("MASKPOOL_LOG_FORMAT") == "json":
        configure("json", "INFO")  # a setting was refused before any of them could be read
    if in_json():
        logging.getLogger(who.replace(" ", ".")).error(sentence)
    else:
        sys.stderr.write(f"{who}: {sentence}\n")


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("maskpool").critical("%s", error, exc_info=(kind, error, trace))
