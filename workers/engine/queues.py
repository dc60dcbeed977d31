"""What waits for the engine: a queue for each class, bounded in number and in bytes."""

from __future__ import annotations

from collections import deque
from typing import Generic

from maskpool.domain import Klass
from maskpool.ports import Prepared_co
from workers.engine.micro_batch import take
from workers.engine.work import Work, begin


class Queues(Generic[Prepared_co]):
    """Not thread-safe: the engine's lock is held around every call.

    Args:
        max_waiting: Works of one class that may wait.
        max_bytes: Bytes of the images of one class that may wait.
    """

    def __init__(self, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        # In the order of their urgency.
        self._by_class: dict[Klass, deque[Work[Prepared_co]]] = {
            klass: deque() for klass in sorted(Klass)
        }

    def __bool__(self) -> bool:
        return any(self._by_class.values())

    def full(self, klass: Klass) -> bool:
        """Whether one more of a class would be too many."""
        queue = self._by_class[klass]
        return (
            len(queue) >= self._max_waiting or sum(work.nbytes for work in queue) >= self._max_bytes
        )

    def add(self, work: Work[Prepared_co], klass: Klass) -> None:
        """Append; whoever calls has asked ``full``."""
        self._by_class[klass].append(work)

    def take(self, limit: int) -> list[Work[Prepared_co]]:
        """Take a micro-batch of the most urgent class, without what was cancelled meanwhile."""
        queue = next((queue for queue in self._by_class.values() if queue), None)
        return [] if queue is None else [work for work in take(queue, limit) if begin(work)]

    def take_all(self) -> list[Work[Prepared_co]]:
        """Empty the queues; what was cancelled meanwhile is left out."""
        left = [work for queue in self._by_class.values() for work in queue]
        for queue in self._by_class.values():
            queue.clear()
        return [work for work in left if begin(work)]
