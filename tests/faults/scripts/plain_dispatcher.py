"""The dispatcher as it is in production; it only ends with the tests."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent

from producer.cli.serve import dispatch

if __name__ == "__main__":
    end_with_parent()
    dispatch()
