"""A worker process like any other, but for two things that a test must be able to tell it.

Its segmenter needs a known time and sees what the image says, and reading a file whose name begins
with ``poison`` kills the process, as a decoder that crashes would.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Run as a script: `faults` lies beside `services`, in the tests' folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.leash import end_with_parent
from faults.scenes import expected_mask, number_in

from maskpool import rle
from maskpool.domain import Found
from maskpool.ports import Image
from maskpool.settings import Settings
from storage.images.fetch import FetchedImage, Fetcher
from workers import process
from workers.__main__ import main
from workers.engine.engine import Engine
from workers.process import Models

IMAGE_SECONDS = 0.03
MICRO_BATCH = 4


class TimedSegmenter:
    """Finds one mask for each prompt, the one that the image's first pixel asks for."""

    def segment(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Found]]:
        time.sleep(IMAGE_SECONDS * len(images))
        return [_look(image, len(prompts)) for image in images]


class IndifferentScorer:
    """Never asked: the batches of these tests have no negative texts."""

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.zeros((len(crops), len(texts)), np.float32)


class PoisonableFetcher(Fetcher):
    """Reads as its parent does, and dies of poison."""

    def fetch(self, uri: str) -> FetchedImage:
        fetched = super().fetch(uri)
        if uri.rpartition("/")[2].startswith("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        return fetched


def _look(image: Image, prompts: int) -> list[Found]:
    mask, box = expected_mask(number_in(image))
    return [Found(prompt, 0.875, box, rle.encode(mask)) for prompt in range(prompts)]


def _timed(_: Settings) -> Models:
    engine = Engine(TimedSegmenter(), IndifferentScorer(), micro_batch=MICRO_BATCH).start()
    return Models(engine, "timed", f"{IMAGE_SECONDS} s an image")


def serve() -> None:
    """Be a worker, until told to stop."""
    end_with_parent()
    process.load, process.Fetcher = _timed, PoisonableFetcher
    main()


if __name__ == "__main__":
    serve()
