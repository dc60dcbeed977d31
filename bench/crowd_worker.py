"""Several logical workers with a timed engine in one torch-free process.

    python -m bench.crowd_worker WORKERS

Everything is real but three things, as in ``tests/services/simulated_pool.py``: the model sleeps,
an image file is read and decoded once a process, and kombu's consumer replaces Celery's worker.
Each image ends with one instance, and each chunk with an object in the store.
"""

from __future__ import annotations

import sys

from services.simulated_pool import Simulation, serve

from maskpool import logs
from maskpool.domain import Found
from maskpool.ports import Image, Request
from maskpool.rle import Rle
from maskpool.settings import load_settings

#: Images a second of one worker, and its micro-batch, which is the default on CUDA.
IMAGES_PER_S = 40
MICRO_BATCH = 8

#: Seconds that a full micro-batch takes.
MICRO_BATCH_SECONDS = MICRO_BATCH / IMAGES_PER_S

#: A pixel in the corner of images 48 × 8.
_FOUND = Found(0, 0.875, (0.0, 0.0, 1.0, 1.0), Rle((8, 48), "01o;"))


def look(_: Request[Image]) -> list[Found]:
    """Find the same instance in each image."""
    return [_FOUND]


def main(workers: int) -> None:
    """Run this many logical workers until told to stop."""
    settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    serve(settings, Simulation(workers, 1 / IMAGES_PER_S, MICRO_BATCH), look)


if __name__ == "__main__":
    main(int(sys.argv[1]))
