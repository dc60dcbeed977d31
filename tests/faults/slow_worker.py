"""The timed worker with a slow model: what it has begun and what waits for its turn differ much."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: `faults` lies beside `services`, in the tests' folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import timed_worker
from faults.leash import end_with_parent

from workers import process
from workers.__main__ import main

#: An image; a micro-batch takes a second.
IMAGE_SECONDS = 0.25
MICRO_BATCH_SECONDS = IMAGE_SECONDS * timed_worker.MICRO_BATCH

if __name__ == "__main__":
    end_with_parent()
    timed_worker.IMAGE_SECONDS = IMAGE_SECONDS
    process.load, process.Fetcher = timed_worker._timed, timed_worker.PoisonableFetcher
    main()
