"""The timed worker on a machine whose clock is wrong by ``FAULTS_CLOCK_SECONDS``.

Patched before anything of ours or of the libraries is imported, in every place where Python, the
ids and the S3 client read the clock. Monotonic time runs as it does: it has no hands to be set.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
import uuid
from pathlib import Path

SECONDS = int(os.environ.get("FAULTS_CLOCK_SECONDS", "0"))

_time, _time_ns = time.time, time.time_ns


class WrongDatetime(dt.datetime):
    """Reads the wrong clock, and is a datetime otherwise."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> WrongDatetime:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> WrongDatetime:
        return cls.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)


def set_wrong() -> None:
    """From now on this process is SECONDS ahead."""
    time.time = lambda: _time() + SECONDS
    time.time_ns = lambda: _time_ns() + SECONDS * 1_000_000_000
    dt.datetime = WrongDatetime  # type: ignore[misc]


set_wrong()

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import uuid_utils.compat  # noqa: E402 - behind the clock, as all that follows

_uuid7 = uuid_utils.compat.uuid7


def _wrong_uuid7() -> uuid.UUID:
    """The id as it is made, but with the wrong milliseconds in its first 48 bits."""
    made = _uuid7().int & ((1 << 80) - 1)
    return uuid.UUID(int=(time.time_ns() // 1_000_000) << 80 | made)


uuid_utils.compat.uuid7 = _wrong_uuid7

from faults.scripts.timed_worker import serve  # noqa: E402

if __name__ == "__main__":
    serve()
