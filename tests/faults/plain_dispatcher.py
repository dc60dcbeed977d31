"""The dispatcher as it is in production; it only ends with the tests."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: `faults` lies beside `services`, in the tests' folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.leash import end_with_parent

from producer.cli.serve import dispatch

if __name__ == "__main__":
    end_with_parent()
    dispatch()
