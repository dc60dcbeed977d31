"""Several timed workers in one process; told how many and how fast by the environment."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent
from faults.scenes import SCORE, expected_mask, number_in
from services.simulated_pool import Simulation, serve

from maskpool import logs, rle
from maskpool.domain import Found
from maskpool.ports import Image, Request
from maskpool.settings import load_settings


@cache
def _found(number: int, prompt: int) -> Found:
    mask, box = expected_mask(number)
    return Found(prompt, SCORE, box, rle.encode(mask))


def _look(request: Request[Image]) -> list[Found]:
    number = number_in(request.image)
    return [_found(number, prompt) for prompt in range(len(request.texts))]


if __name__ == "__main__":
    end_with_parent()
    settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    simulation = Simulation(
        workers=int(os.environ["SIMULATED_WORKERS"]),
        image_seconds=float(os.environ["SIMULATED_IMAGE_SECONDS"]),
    )
    serve(settings, simulation, _look)
