"""Ctrl-C and SIGTERM end a verb wherever it is, so that every child is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, NoReturn

#: Seconds until a signal whose exception was lost is sent again.
_AGAIN_SECONDS = 0.05


def take_over() -> None:
    """Have both signals unwind the main thread; once, at the beginning."""
    signal.signal(signal.SIGTERM, _leave)
    # A shell starts background jobs with SIGINT ignored; a stack must end on it all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = _unraisable


def _leave(*_: object) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C does."""
    sys.exit(128 + signal.SIGTERM)


def _unraisable(lost: Any) -> None:  # noqa: ANN401 - Python names the type in stubs only
    """Python drops what is raised while it collects garbage, a signal's exception included."""
    number = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(lost.exc_type)
    if number is None:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()
