"""Which images make a micro-batch, and how many it may hold."""

from __future__ import annotations

import logging
from collections import deque

from workers.engine.work import CropWork, ImageWork, Prepared_co, Work

log = logging.getLogger(__name__)

#: Micro-batches without trouble after which a limit that was halved for memory may double again.
_CALM_BATCHES = 64


def take(queue: deque[Work[Prepared_co]], limit: int) -> list[Work[Prepared_co]]:
    """Take the oldest work off a queue, and up to ``limit`` images that ask the same.

    Args:
        queue: Not empty; what is taken is removed.
        limit: Most images of a micro-batch. Crops are scored alone.
    """
    first = queue[0]
    if isinstance(first, CropWork):
        return [queue.popleft()]
    same = [w for w in queue if isinstance(w, ImageWork) and w.prompts == first.prompts][:limit]
    for work in same:
        queue.remove(work)
    return list(same)


class MicroBatchLimit:
    """How many images a micro-batch may hold: halved when memory is short, recovers slowly."""

    def __init__(self, maximum: int) -> None:
        self.size = maximum
        self._maximum = maximum
        self._calm_batches = 0

    def exceeded(self, size: int) -> None:
        """Memory was too short for ``size`` images."""
        self.size = max(1, min(self.size, size // 2))
        self._calm_batches = 0
        log.warning("out of memory with %d images at once; at most %d from now on", size, self.size)

    def succeeded(self) -> None:
        """A micro-batch went through."""
        self._calm_batches += 1
        if self._calm_batches >= _CALM_BATCHES and self.size < self._maximum:
            # One unusually large image must not slow the process down for good.
            self.size, self._calm_batches = min(2 * self.size, self._maximum), 0
            log.info("memory sufficed for a while; up to %d images at once again", self.size)
