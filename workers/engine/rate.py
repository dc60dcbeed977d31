"""How fast the engine is."""

from __future__ import annotations

import math

#: Busy seconds after which a measurement weighs 1/e.
_MEMORY_SECONDS = 30.0


class Rate:
    """Images a busy second, lately: an exponential moving average over busy time."""

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
