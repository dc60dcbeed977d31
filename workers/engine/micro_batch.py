"""Which images make a micro-batch, and how many it may hold."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from itertools import accumulate

from maskpool.ports import Prepared_co
from workers.engine.work import CropWork, ImageWork, Work

log = logging.getLogger(__name__)

#: Micro-batches without trouble after which a limit that was halved for memory may double again.
_CALM_BATCHES = 64


#: Rows of a micro-batch, unless one image alone asks for more: eight images of as many texts as
#: there may be, so that micro-batches of the usual size are never cut where only texts are asked.
MAX_ROWS = 2_048


def take(queue: deque[Work[Prepared_co]], limit: int) -> list[Work[Prepared_co]]:
    """Take the oldest work off a queue, and up to ``limit`` images that may go with it.

    Args:
        queue: Not empty; what is taken is removed.
        limit: Most images of a micro-batch. Crops are scored alone.
    """
    first = queue[0]
    if isinstance(first, CropWork):
        return [queue.popleft()]
    alike = [w for w in queue if isinstance(w, ImageWork) and _go_together(first, w)][:limit]
    taken = alike[: _fitting(alike)]
    for work in taken:
        queue.remove(work)
    return list(taken)


def _go_together(first: ImageWork[Prepared_co], other: ImageWork[Prepared_co]) -> bool:
    """Whether two images may share a micro-batch.

    Company changes the last bits of a result. So images that ask for texts alone share with those
    that ask for the same texts; what is asked beside texts mixes freely.
    """
    mine, theirs = first.request, other.request
    if mine.text_only:
        return theirs.text_only and theirs.texts == mine.texts
    return not theirs.text_only


def _fitting(works: Sequence[ImageWork[Prepared_co]]) -> int:
    """How many of the first works have ``MAX_ROWS`` rows together; at least one."""
    sums = accumulate(work.request.rows for work in works)
    return max(1, sum(rows <= MAX_ROWS for rows in sums))


def halves(part: list[ImageWork[Prepared_co]]) -> list[list[ImageWork[Prepared_co]]]:
    """A micro-batch of several images in two."""
    middle = (len(part) + 1) // 2
    return [part[:middle], part[middle:]]


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
