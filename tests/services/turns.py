"""Tests in several processes (``pytest -n``): which may run at the same time.

Each process of pytest-xdist has servers of its own, so tests share nothing but the machine. Those
that measure times or shares are marked ``alone``: while one of them runs, no other test does, in
whichever process. All tests of a file run in one process, one after the other, so that its pools
and servers are started once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

#: The mark of tests beside which no other may run.
ALONE = "alone"

#: Tests wait as often as they compute, so more processes than cores pay; each may hold a GiB.
_MAX_PROCESSES = 8
_EXTRA_PROCESSES = 1

#: To stop what a test started; a pool's processes and its servers have five seconds each.
_STOP_SECONDS = 60


class Turns:
    """A lock that every process of one run shares.

    Most tests hold it together, one marked ``alone`` holds it exclusively. Whoever wants it passes
    a door first, one at a time, so that a test which waits to be alone is not overtaken for ever.

    Args:
        folder: Of the two files that are locked; the same for every process.
    """

    def __init__(self, folder: Path) -> None:
        self._door = (folder / "door").open("ab")
        self._room = (folder / "room").open("ab")
        self._alone = False
        # Whom to stop when the run is stopped; see ``Hub``.
        self._mine = folder / f"{os.getpid()}.pid"
        self._mine.touch()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """Behind the end of the last fixture, and so of the last server."""
        try:
            return (yield)
        finally:
            self._mine.unlink(missing_ok=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """Around the whole test; waiting for a turn does not count towards its timeout."""
        if not self._alone:
            self._enter(alone=_is_alone(item))
        try:
            return (yield)
        finally:
            # The next one that is to be alone need not wait for all others once more.
            if not (self._alone and nextitem is not None and _is_alone(nextitem)):
                self._leave()

    def _enter(self, *, alone: bool) -> None:
        fcntl.flock(self._door, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._door, fcntl.LOCK_UN)
        self._alone = alone

    def _leave(self) -> None:
        fcntl.flock(self._room, fcntl.LOCK_UN)
        self._alone = False


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker(ALONE) is not None


class Hub:
    """What the process does that hands out the tests."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="maskpool-turns-"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each process where the locks lie."""
        node.workerinput["turns"] = str(self._folder)

    def pytest_keyboard_interrupt(self) -> None:
        """SIGTERM or Ctrl-C here: ask the others to stop their servers, and wait for them.

        Left to itself, pytest-xdist interrupts them after five seconds, also while they do.
        """
        for file in self._folder.glob("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(file.stem), signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while any(map(_lives, self._folder.glob("*.pid"))) and time.monotonic() < end:
            time.sleep(0.1)

    def pytest_unconfigure(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _lives(file: Path) -> bool:
    return Path(f"/proc/{file.stem}").exists() or not Path("/proc/self").exists()


def take_turns(config: pytest.Config) -> None:
    """Register what this process needs; nothing where tests run in one process."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.pluginmanager.register(Turns(Path(workerinput["turns"])))
    elif getattr(config.option, "numprocesses", None):
        config.pluginmanager.register(Hub())


def process_count() -> int:
    """How many processes ``-n auto`` means here."""
    return min((os.cpu_count() or 1) + _EXTRA_PROCESSES, _MAX_PROCESSES)
