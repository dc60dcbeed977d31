"""How much the engine takes at once, and how fast it is."""

from __future__ import annotations

import logging
import math

log = logging.getLogger(__name__)

#: Busy seconds over which ``images_per_second`` forgets.
_MEMORY_SECONDS = 30.0

#: Micro-batches without trouble after which a micro-batch halved for memory may double again.
_CALM = 64


class Limit:
    """How many images a micro-batch may hold: halves for lack of memory, recovers slowly."""

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most
        self._calm = 0

    def exceeded(self, size: int) -> None:
        """Memory was too short for ``size`` images."""
        self.size = max(1, min(self.size, size // 2))
        self._calm = 0
        log.warning("out of memory with %d images at once; at most %d from now on", size, self.size)

    def succeeded(self) -> None:
        """A micro-batch went through."""
        self._calm += 1
        if self._calm >= _CALM and self.size < self._most:
            # One image of unusual demands must not slow the process down for good.
            self.size, self._calm = min(2 * self.size, self._most), 0
            log.info("memory sufficed for a while; up to %d images at once again", self.size)


class Rate:
    """Images over busy seconds; what lies ``_MEMORY_SECONDS`` back weighs 1/e."""

    def __init__(self) -> None:
        self._images = 0.0
        self._seconds = 0.0

    @property
    def value(self) -> float | None:
        """Images a busy second; None before the first image."""
        images, seconds = self._images, self._seconds
        return images / seconds if images and seconds > 0 else None

    def add(self, images: int, seconds: float) -> None:
        """Count ``seconds`` of work that served ``images`` images."""
        kept = math.exp(-seconds / _MEMORY_SECONDS)
        self._images = kept * self._images + images
        self._seconds = kept * self._seconds + seconds
