"""A worker process like any other, but for two things that a test must be able to tell it.

Its segmenter needs a known time and sees what the image says, and reading a file whose name begins
with ``poison`` kills the process, as a decoder that crashes would.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from uuid import UUID

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.leash import end_with_parent
from faults.scenes import SCORE, shown
from services.fakes import IndifferentScorer, TimedSegmenter

from maskpool import rle
from maskpool.domain import Found
from maskpool.ports import Image, Request
from maskpool.settings import Settings
from storage.images.decode import Take
from storage.images.fetch import FetchedImage, Fetcher
from workers.__main__ import main
from workers.engine.engine import Engine
from workers.process import LoadModels, Models

IMAGE_SECONDS = 0.03
MICRO_BATCH = 4


class PoisonableFetcher(Fetcher):
    """Reads as its parent does, and dies of poison."""

    def fetch(
        self, uri: str, batch_id: UUID | None = None, take: Take | None = None
    ) -> FetchedImage:
        fetched = super().fetch(uri, batch_id, take)
        if uri.rpartition("/")[2].startswith("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        return fetched


def look(request: Request[Image]) -> list[Found]:
    """The mask, or the region, that the image's first pixel asks for, for each text."""
    found = []
    for text in range(len(request.texts)):
        seen = shown(request.image, region=text in request.stuff)
        if seen is not None:
            mask, box = seen
            found.append(Found(text, SCORE, box, rle.encode(mask)))
    return found


def load(_: Settings, *, image_seconds: float = IMAGE_SECONDS) -> Models:
    """A segmenter that needs so many seconds an image."""
    segmenter = TimedSegmenter(image_seconds, look)
    engine = Engine(segmenter, IndifferentScorer(), micro_batch=MICRO_BATCH).start()
    return Models(engine, "timed", f"{image_seconds} s an image")


def serve(load: LoadModels = load) -> None:
    """Be a worker, until told to stop."""
    end_with_parent()
    main(load=load, fetcher=PoisonableFetcher)


def serve_slowly(image_seconds: float) -> None:
    """Be a worker that needs so many seconds an image."""
    serve(partial(load, image_seconds=image_seconds))


if __name__ == "__main__":
    serve()
