"""Failpoints: off by default, refused when misspelt, sprung at the right time, and all in use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maskpool import failpoints
from maskpool.errors import ConfigError

ROOT = Path(__file__).parents[3]


def _come_by(times: int, armed: str) -> subprocess.CompletedProcess[str]:
    code = (
        "from maskpool import failpoints\n"
        f"for time in range({times}):\n"
        "    failpoints.reach('worker.taken'); print(time, flush=True)"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"MASKPOOL_FAILPOINTS": armed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_unset_nothing_happens() -> None:
    assert _come_by(2, "").stdout == "0\n1\n"


def test_it_kills_when_it_is_reached_for_the_nth_time() -> None:
    ended = _come_by(9, "worker.stored=kill,worker.taken=kill@3")
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "0\n1\n")


#: The main thread gets the one core only where nobody else wants it, and the other thread wants it
#: until it is frozen.
_FREEZE_BESIDE_A_SLOW_MAIN_THREAD = """
import os, threading
from maskpool import failpoints

def work():
    failpoints.reach("worker.taken")
    os.write(1, b"went on")

os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
worker = threading.Thread(target=work)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
worker.start()
worker.join()
"""


def test_frozen_a_thread_goes_no_step_further() -> None:
    """A signal to the process is taken by its main thread, which may not run for a while."""
    with subprocess.Popen(
        [sys.executable, "-c", _FREEZE_BESIDE_A_SLOW_MAIN_THREAD],
        env={"MASKPOOL_FAILPOINTS": "worker.taken=stop"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            assert process.stdout.read() is None
            process.send_signal(signal.SIGCONT)
            os.set_blocking(process.stdout.fileno(), True)
            assert process.stdout.read() == b"went on"
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("armed", ["worker.taken", "worker.tken=kill", "worker.taken=kill@0", "x"])
def test_a_misspelt_one_is_refused(armed: str) -> None:
    with pytest.raises(ConfigError, match=r"MASKPOOL_FAILPOINTS: .* places are submit\.created"):
        failpoints._armed(armed)


def test_every_place_is_in_the_code_once_and_no_other() -> None:
    reached = [
        place
        for room in ("clerk", "db", "producer", "web", "workers")
        for path in (ROOT / room).rglob("*.py")
        for place in re.findall(r'\breach\("([^"]+)"\)', path.read_text())
    ]
    assert sorted(reached) == sorted(failpoints.PLACES)
