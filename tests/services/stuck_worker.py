"""A worker process like any other, whose model finds nothing, and stops for good at one image."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Run as a script: `services` lies beside it, in the tests' folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from maskpool.domain import Found
from maskpool.ports import Image
from maskpool.settings import Settings
from workers import process
from workers.__main__ import main
from workers.engine.engine import Engine
from workers.process import Models


class StickySegmenter:
    """Hangs at an image that is darker than the rest."""

    def segment(self, images: Sequence[Image], _: Sequence[str]) -> list[list[Found]]:
        if any(image.max() == 0 for image in images):
            threading.Event().wait()
        return [[] for _ in images]


class IndifferentScorer:
    """Never asked."""

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.zeros((len(crops), len(texts)), np.float32)


def _load(_: Settings) -> Models:
    engine = Engine(StickySegmenter(), IndifferentScorer(), micro_batch=1).start()
    return Models(engine, "sticky", "it finds nothing")


if __name__ == "__main__":
    process.load = _load
    main()
