"""The dispatcher, ten times as impatient about lost messages: these tests lease for 3 s, not 30."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent

from db.chunks import publish
from producer.cli.serve import dispatch

if __name__ == "__main__":
    end_with_parent()
    for steps in (publish._REPUBLISH_MS, publish._REPUBLISH_NOW_MS):
        steps |= {times: wait // 10 for times, wait in steps.items()}
    publish._REPUBLISH_MAX_MS //= 10
    dispatch()
