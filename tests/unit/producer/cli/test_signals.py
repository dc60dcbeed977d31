"""A signal ends a verb, also where Python would drop its exception."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: The signal comes while an object is finalised, where exceptions are only printed.
SCRIPT = """
import os, sys, time
from producer.cli import signals
signals.take_over()
class Last:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        for _ in range(1000):
            pass
last = Last()
del last
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
def test_a_signal_while_garbage_is_collected_is_not_lost(number: int, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(number)], capture_output=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (status, b"")


def test_other_exceptions_that_are_dropped_are_printed() -> None:
    script = SCRIPT.replace("os.kill(os.getpid(), int(sys.argv[1]))", "raise ValueError('seen')")
    script = script.replace("time.sleep(60)", "pass")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=50, check=True, text=True
    )
    assert "ValueError: seen" in done.stderr
