"""The dispatcher of these tests on a machine whose clock is wrong by ``FAULTS_CLOCK_SECONDS``."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import runpy

import faults.scripts.skewed_worker

if __name__ == "__main__":
    assert faults.scripts.skewed_worker.SECONDS  # the import has set the clock
    runpy.run_path(str(Path(__file__).with_name("quick_dispatcher.py")), run_name="__main__")
