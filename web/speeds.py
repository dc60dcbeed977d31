"""How fast batches go, measured from one look at them to the next."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from uuid import UUID

from maskpool.domain import Progress
from producer.results.progress import Pace, Speed

#: Batches that are kept in mind; who looks at more hears no pace of the oldest.
_MAX_BATCHES = 1_000


class Speeds:
    """The paces of the batches that somebody looked at lately."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: OrderedDict[UUID, Speed] = OrderedDict()

    def measure(self, progress: Progress) -> Pace:
        """Note how far a batch is; returns its pace over the last seconds."""
        with self._lock:
            speed = self._of.pop(progress.batch_id, None) or Speed()
            if not progress.ended:
                self._of[progress.batch_id] = speed
            if len(self._of) > _MAX_BATCHES:
                self._of.popitem(last=False)
            return speed.measure(progress)
