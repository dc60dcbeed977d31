"""The timed worker on a device that is short of memory, as far as ``SHORT_OF`` says.

``images``: half of the micro-batches of more than ``FITTING`` images do not fit. ``crops``: a tenth
of the scorings does not. An image that is ``glutton.png`` never fits.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import numpy.typing as npt
from faults.leash import end_with_parent
from faults.scenes import GLUTTON, number_in
from faults.scripts.hurried_worker import hurry
from faults.scripts.timed_worker import MICRO_BATCH, look
from services.fakes import TimedSegmenter

from maskpool.ports import Answer, Image, Request
from maskpool.settings import Settings
from workers.__main__ import main
from workers.engine.engine import Engine
from workers.process import Models

FITTING = 2

#: How many images fit is the matter, not how long they take.
IMAGE_SECONDS = 0.005

_SHORT_OF = os.environ["SHORT_OF"].split(",")
_chance = random.Random(os.getpid())


class OutOfMemory(RuntimeError):
    """As torch has one: no ``MemoryError``, which is Python's own."""


class ShortSegmenter(TimedSegmenter):
    """Finds what its parent does, where it has the memory."""

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        numbers = {number_in(request.image) for request in requests}
        too_many = "images" in _SHORT_OF and len(requests) > FITTING and _chance.random() < 0.5
        if too_many or GLUTTON in numbers:
            raise OutOfMemory(f"tried to allocate room for {len(requests)} images")
        return super().segment(requests)


class ShortScorer:
    """Finds every crop to be what was looked for, where it has the memory."""

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if "crops" in _SHORT_OF and _chance.random() < 0.1:
            raise OutOfMemory(f"tried to allocate room for {len(crops)} crops")
        scores = np.zeros((len(crops), len(texts)), np.float32)
        scores[:, 0] = 5.0
        return scores


def _short(_: Settings) -> Models:
    engine = Engine(
        ShortSegmenter(IMAGE_SECONDS, look),
        ShortScorer(),
        micro_batch=MICRO_BATCH,
        out_of_memory=(OutOfMemory,),
    )
    return Models(engine.start(), "timed", "short of memory")


if __name__ == "__main__":
    end_with_parent()
    hurry()
    main(load=_short)
