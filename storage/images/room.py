"""How many bytes of decoded images may be held at once.

A file of a few megabytes may be a picture of hundreds, and many are in work at once; so whoever
decodes one waits until there is room for its pixels. One picture alone is always let in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds between two looks at whether whoever waits should go on waiting.
_LOOK_SECONDS = 0.5


class Room:
    """Thread-safe.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """Bytes at present."""
        return self._held

    @contextmanager
    def place(self, go_on: Callable[[], bool] = lambda: True) -> Iterator[Place]:
        """For one image; what was taken is given back at the end of the block.

        Args:
            go_on: Whether to wait on.
        """
        place = Place(self, go_on)
        try:
            yield place
        finally:
            self._give(place.taken)

    def _take(self, size: int, go_on: Callable[[], bool]) -> bool:
        with self._changed:
            while self._held and self._held + size > self._most:
                if not go_on():
                    return False
                self._changed.wait(_LOOK_SECONDS)
            self._held += size
            return True

    def _give(self, size: int) -> None:
        with self._changed:
            self._held -= size
            self._changed.notify_all()


class Place:
    """Of one image, in a ``Room``; for one thread."""

    def __init__(self, room: Room, go_on: Callable[[], bool]) -> None:
        self._room = room
        self._go_on = go_on
        self.taken = 0

    def take(self, size: int) -> None:
        """Wait for room.

        Args:
            size: Bytes of the pixels.

        Raises:
            NoRoom: Whoever asked is to wait no longer.
        """
        if not self._room._take(size, self._go_on):  # noqa: SLF001 - one thing in two classes
            raise NoRoom
        self.taken += size


class NoRoom(Exception):
    """There was no room before the one who waited was told to stop."""
