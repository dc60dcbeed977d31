"""Is a process alive, and can it work? A small file that it writes, and the check that reads it.

Two questions, because they have two answers. A process is *live* while its loops go round: one
that is not must be started again. It is *ready* while it can work as well: a dispatcher whose
database is away is live, not ready, and starting it again would help nobody.

``python -m maskpool.health FILE`` is the check of a container. It imports the standard library and
one small module of ours: it runs every few seconds, and costs 30 ms.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskpool.files import write_whole
from maskpool.text import readable

log = logging.getLogger(__name__)

#: A process whose file is older than this is taken to hang. A worker writes once a second, a
#: dispatcher after each step of its rounds. No single wait takes longer than a quarter of this:
#: 10 s for Redis, ``Settings.patience_seconds`` for one answer of the database.
MAX_AGE_SECONDS = 60.0

#: The file is not written more often than this, unless it says something else.
_WRITE_SECONDS = 1.0


class HealthFile:
    """A process's own file: each call of ``beat`` says that its loop went round.

    Args:
        file: Where; None to write nothing.
        service: ``dispatcher`` or ``worker``.
        name: ``host:pid``, for people.
    """

    def __init__(self, file: Path | None, service: str, name: str) -> None:
        self._file = file
        self._service = service
        self._name = name
        self._worked_at: str | None = None
        self._said: tuple[bool, str] | None = None
        self._written = float("-inf")
        self._failing = False

    @property
    def wanted(self) -> bool:
        """Whether there is a file to write."""
        return self._file is not None

    def beat(self, trouble: str = "", *, live: bool = True) -> None:
        """Say that the loop went round.

        Args:
            trouble: What keeps the process from working; empty: nothing does.
            live: False where it will not recover by itself.
        """
        if self._file is None:
            return
        if live and not trouble:
            self._worked_at = _utc()
        now = time.monotonic()
        if (live, trouble) == self._said and now - self._written < _WRITE_SECONDS:
            return
        self._said, self._written = (live, trouble), now
        self._write(
            self._file,
            {
                "service": self._service,
                "name": self._name,
                "pid": os.getpid(),
                "at": _utc(),
                # Ages are measured by this clock: with the wall clock, a live process would look
                # dead after the clock is set or a laptop has slept.
                "monotonic": now,
                "worked_at": self._worked_at,
                "live": live,
                "trouble": trouble,
            },
        )

    def close(self) -> None:
        """Remove the file, since the process ends in order."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _write(self, file: Path, content: dict[str, object]) -> None:
        line = json.dumps(content, ensure_ascii=False) + "\n"
        try:
            # What troubles a process may quote a path that is not UTF-8.
            _replace(file, line.encode(errors="backslashreplace"))
        except OSError as error:
            if not self._failing:
                log.warning("the health file cannot be written: %s", error)
            self._failing = True
        else:
            self._failing = False


def _replace(file: Path, line: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # It is written every second, and says nothing after a power cut: no wait for the disk.
        write_whole(file, line, durable=False)
    except OSError:
        # On a full disk the old file is overwritten in place, which needs no new block.
        with file.open("r+b") as old:
            old.write(line)
            old.truncate()


@dataclass(frozen=True, slots=True)
class State:
    """What a health file says.

    Attributes:
        live: The process's loops go round.
        ready: It can work, too.
        sentence: The state in words for people.
        heard: When it was written, on the machine's monotonic clock; None where it was not, or
            before the machine started.
    """

    live: bool
    ready: bool
    sentence: str
    heard: float | None = None


def read_state(file: Path, *, max_age: float = MAX_AGE_SECONDS) -> State:
    """Read a health file of this machine.

    Args:
        file: The health file; a missing or an invalid one gives a state too, not an error.
        max_age: Seconds after which a process that was not heard of is taken to hang.
    """
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return _judge(said, float(said["monotonic"]), max_age)
    except FileNotFoundError:
        return State(False, False, f"{file} is not there: nothing was started yet, or it ended")
    except (OSError, ValueError, TypeError, KeyError) as error:
        return State(False, False, f"{file} is no health file: {error!r}")


def _judge(said: dict[str, Any], heard: float, max_age: float) -> State:
    who, trouble = f"{said['service']} {said['name']}", said["trouble"]
    age = time.monotonic() - heard
    if age < 0:
        # Written before this boot, whose clock began anew: nothing was heard since.
        return State(False, False, f"{who} was last heard of before this machine started")
    if not said["live"]:
        return State(False, False, f"{who} is not live: {trouble}", heard)
    if age > max_age:
        sentence = f"{who} hangs or is gone: last heard of {age:.0f} s ago, at {said['at']}"
        return State(False, False, sentence, heard)
    if trouble:
        return State(True, False, f"{who} is live, but not ready: {trouble}", heard)
    return State(True, True, f"{who} is live and ready", heard)


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a health file says; 0 where the process is live, 1 where it is not."""
    parser = argparse.ArgumentParser(
        prog="python -m maskpool.health",
        description="Exit 0 if the process that writes this health file is live, else 1.",
    )
    parser.add_argument("file", type=Path, help="MASKPOOL_HEALTH_FILE of the process")
    parser.add_argument(
        "--max-age",
        type=float,
        default=MAX_AGE_SECONDS,
        metavar="SECONDS",
        help="a process not heard of for so long hangs; default %(default)g",
    )
    parser.add_argument("--ready", action="store_true", help="ask whether it can work, too")
    asked = parser.parse_args(arguments)
    state = read_state(asked.file, max_age=asked.max_age)
    _print(readable(state.sentence))
    return 0 if (state.ready if asked.ready else state.live) else 1


def _print(sentence: str) -> None:
    """The sentence is for people; where it cannot be printed, the exit code says it all."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Containers often have no locale, and the answer must not depend on it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(sentence, flush=True)  # noqa: T201 - of the check of a container
    except OSError:
        sys.stdout = io.StringIO()  # else Python would try again when it ends, and exit with 120


if __name__ == "__main__":
    sys.exit(main())
