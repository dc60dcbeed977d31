"""Where the time of a micro-batch goes, by the names that the segmenter gives its stages."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

#: In the order of an image's way. ``rle``: threshold, RLE and the copy of its text.
NAMES = ("decode", "prepare", "vision", "detector", "masks", "rle")


class Stages:
    """Times stages; each end waits for the device, so the sum says nothing about throughput.

    Attributes:
        seconds: By name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._on = False

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time one stage."""
        if not self._on:
            yield
            return
        began = now()
        yield
        self.seconds[name] += now() - began

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Reset the times, and measure inside the block."""
        self.seconds.clear()
        self._on = True
        try:
            yield
        finally:
            self._on = False


def now() -> float:
    """The time in seconds, after the device has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
