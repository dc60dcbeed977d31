"""The timed worker with a slow model: what it has begun and what waits for its turn differ much."""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.scripts.timed_worker import MICRO_BATCH, serve_slowly

#: An image; a micro-batch takes a second.
IMAGE_SECONDS = 0.25
MICRO_BATCH_SECONDS = IMAGE_SECONDS * MICRO_BATCH

if __name__ == "__main__":
    serve_slowly(IMAGE_SECONDS)
