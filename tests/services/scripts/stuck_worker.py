"""A worker process like any other, whose model finds nothing, and stops for good at one image."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services.fakes import IndifferentScorer

from maskpool.ports import Answer, Image, Request
from maskpool.settings import Settings
from workers.__main__ import main
from workers.engine.engine import Engine
from workers.process import Models


class StickySegmenter:
    """Hangs at an image that is darker than the rest."""

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        if any(request.image.max() == 0 for request in requests):
            threading.Event().wait()
        return [Answer([]) for _ in requests]


def _load(_: Settings) -> Models:
    engine = Engine(StickySegmenter(), IndifferentScorer(), micro_batch=1).start()
    return Models(engine, "sticky", "it finds nothing")


if __name__ == "__main__":
    main(load=_load)
