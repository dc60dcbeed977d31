"""How fast a batch goes, and how long it will take: measured from its progress."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

from maskpool.domain import Progress

#: Seconds of progress that the present speed is measured over.
_WINDOW_SECONDS = 20.0


class Pace(NamedTuple):
    """How fast a batch goes; None where that is not known yet.

    Attributes:
        images_per_s: Images a second, done and failed ones.
        seconds_left: Until its end, at that speed.
    """

    images_per_s: float | None = None
    seconds_left: float | None = None


class Speed:
    """Measures the pace of one batch over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def measure(self, progress: Progress) -> Pace:
        """Note the progress; returns the pace since about twenty seconds ago."""
        now, ended = time.monotonic(), progress.done + progress.failed
        self._seen.append((now, ended))
        while now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        if ended == before:
            return Pace()
        images_per_s = (ended - before) / (now - since)
        return Pace(images_per_s, progress.remaining / images_per_s)
