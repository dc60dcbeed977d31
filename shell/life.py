"""A Celery worker's life as we have it: put together before its first message, drained, closed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from celery import signals

from maskpool import exits, logs
from maskpool.errors import MaskpoolError
from maskpool.settings import Settings, load_settings
from shell.health import Consumer

log = logging.getLogger(__name__)


class Process(Protocol):
    """What a program holds for its whole life."""

    @property
    def id(self) -> UUID:
        """Of its row; in each line of its log."""

    @property
    def consumer(self) -> Consumer:
        """Celery's loop that takes messages."""

    def drain(self) -> None:
        """Take nothing more, and stop what is in hand soon."""

    def close(self) -> None:
        """Close everything, in an order that loses no finished work."""


def live(program: str, start: Callable[[Settings], Process]) -> None:
    """Have Celery's signals put a process together and end it.

    Args:
        program: Its name for people, such as ``maskpool worker``.
        start: Puts it together, given the settings; called before the first message is taken.
    """
    life = _Life(program, start)
    # While this signal has a receiver, Celery leaves the root logger alone.
    signals.setup_logging.connect(_leave_logging_alone, weak=False)
    signals.worker_init.connect(life.begin, weak=False)
    signals.heartbeat_sent.connect(life.went_round, weak=False)
    signals.worker_shutting_down.connect(life.drain, weak=False)
    signals.worker_shutdown.connect(life.end, weak=False)


def _leave_logging_alone(**_: Any) -> None:  # noqa: ANN401 - Celery's signal
    """Do nothing."""


class _Life:
    """Receivers of Celery's signals."""

    def __init__(self, program: str, start: Callable[[Settings], Process]) -> None:
        self._program = program
        self._start = start
        self._process: Process | None = None

    def begin(self, **_: Any) -> None:  # noqa: ANN401 - Celery's signal
        """End with a clear word where the process cannot be put together."""
        settings = load_settings()
        logs.configure(settings.log_format, settings.log_level)
        try:
            self._process = self._start(settings)
        except MaskpoolError as error:
            logs.say(self._program, str(error))
            sys.exit(exits.exit_code(error))
        except Exception:
            # Celery would log it and go on, taking every message and doing nothing.
            log.exception("%s could not be put together; please report it", self._program)
            sys.exit(exits.BUG)
        logs.always(worker=self._process.id)

    def went_round(self, **_: Any) -> None:  # noqa: ANN401 - Celery's signal
        if self._process is not None:
            self._process.consumer.heard()

    def drain(self, **_: Any) -> None:  # noqa: ANN401 - Celery's signal
        """SIGTERM: what is in hand stops soon, and what is left goes back."""
        if self._process is not None:
            self._process.drain()

    def end(self, **_: Any) -> None:  # noqa: ANN401 - Celery's signal
        if self._process is not None:
            self._process.close()
