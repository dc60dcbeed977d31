"""A clerk with small blocks and short rests; told so, each of its steps takes a while."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent

from clerk import run_task
from clerk.__main__ import main
from clerk.leases import Holding
from db import jobs, removal
from producer import counting

#: Seconds that a step of a task takes.
SLOW = float(os.environ.get("SLOW_STEPS", "0"))

_step = Holding.step


def _slow_step(holding: Holding, **progress: Any) -> None:
    time.sleep(SLOW)
    _step(holding, **progress)


if __name__ == "__main__":
    end_with_parent()
    run_task._REST_MS = (100, 300)
    counting.BLOCK = removal.BLOCK = jobs.BLOCK_POSTGRES = jobs.BLOCK_SQLITE = 20
    Holding.step = _slow_step  # type: ignore[method-assign]
    main()
