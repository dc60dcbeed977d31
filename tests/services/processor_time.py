"""Processor time as a ratio of two in one process, so that no machine is too slow for a test."""

from __future__ import annotations

import time
from collections.abc import Callable

#: A machine can be busy once; work that is too slow is too slow each time.
_TRIES = 3


def is_linear(work: Callable[[int], object], small: int, large: int) -> bool:
    """Whether ``large`` pieces take as much longer than ``small`` ones as they are more.

    Three times as much is allowed for, so choose ``large`` far from ``small``: at eight times,
    work that looks at every piece for each piece takes 64 times as long.
    """
    return is_within(3 * large / small, lambda: work(large), lambda: work(small))


def is_within(times: float, work: Callable[[], object], yardstick: Callable[[], object]) -> bool:
    """Whether ``work`` takes at most so many times as long as ``yardstick``."""
    return any(_seconds(work) <= times * _seconds(yardstick) for _ in range(_TRIES))


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
