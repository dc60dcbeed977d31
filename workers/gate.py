"""A gate for chunks: many side by side, or one that is alone in the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Gate:
    """Lets chunks compute together, and a solo chunk only when nothing else computes.

    A waiting solo chunk keeps new ones out, so that it cannot starve.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._solo_inside = False
        self._solo_waiting = 0

    @contextmanager
    def enter(self, *, solo: bool) -> Iterator[None]:
        """Wait until the chunk may compute, and hold its place until the block ends."""
        (self._enter_solo if solo else self._enter_shared)()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._solo_inside = False
                self._changed.notify_all()

    def _enter_shared(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._solo_inside and not self._solo_waiting)
            self._inside += 1

    def _enter_solo(self) -> None:
        with self._changed:
            self._solo_waiting += 1
            try:
                self._changed.wait_for(lambda: self._inside == 0)
            finally:
                self._solo_waiting -= 1
            self._inside += 1
            self._solo_inside = True
