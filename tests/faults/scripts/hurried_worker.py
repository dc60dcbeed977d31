"""The timed worker, ten times as impatient with a store that is away or full."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.scripts.timed_worker import serve

from storage.objects import s3
from workers import outcomes, pipeline

#: What times are divided by: as the leases of these tests, unless a test is in more of a hurry.
HURRY = float(os.environ.get("HURRY", "10"))


def hurry() -> None:
    """Divide every time of the store's and of the retries' that is no setting."""
    s3._CONNECT_SECONDS /= HURRY
    s3._READ_SECONDS /= HURRY
    s3._BODY_SECONDS /= HURRY
    outcomes._RESTS = tuple(seconds / HURRY for seconds in outcomes._RESTS)
    outcomes._OUTAGE_SECONDS /= HURRY
    pipeline._UPLOAD_SECONDS /= HURRY


if __name__ == "__main__":
    hurry()
    serve()
