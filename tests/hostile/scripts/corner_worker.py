"""A worker process like any other, but for its model: that finds the upper left pixel, at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent
from services.fakes import IndifferentScorer

from maskpool import rle
from maskpool.domain import Found
from maskpool.ports import Answer, Image, Request
from maskpool.settings import Settings
from workers.__main__ import main
from workers.engine.engine import Engine
from workers.process import Models

#: The engine's; how many images are in work at once follows from it.
MICRO_BATCH = 1


class CornerSegmenter:
    """Keeps no memory of its own, so that a process's peak is that of fetching and decoding."""

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        return [Answer(_look(request.image, len(request.texts))) for request in requests]


def _look(image: Image, prompts: int) -> list[Found]:
    height, width = image.shape[:2]
    corner = rle.from_runs(rle.Runs((height, width), np.array([0]), np.array([1])))
    return [Found(prompt, 0.875, (0.0, 0.0, 1.0, 1.0), corner) for prompt in range(prompts)]


def _load(_: Settings) -> Models:
    engine = Engine(CornerSegmenter(), IndifferentScorer(), micro_batch=MICRO_BATCH).start()
    return Models(engine, "corner", "it finds the upper left pixel")


if __name__ == "__main__":
    end_with_parent()
    main(load=_load)
