"""A body of unknown length on its way into a store: counted, hashed, and cut into parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from maskpool.errors import TooLarge


class Measured:
    """Passes chunks on, and knows how many bytes they had and what these hash to.

    Args:
        chunks: Of any sizes.
        limit: Bytes that all of them may have.
    """

    def __init__(self, chunks: Iterable[bytes], limit: int) -> None:
        self._chunks = chunks
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of all that was passed on, in hex."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """The same chunks.

        Raises:
            TooLarge: They have more than ``limit`` bytes.
        """
        for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > self._limit:
                raise TooLarge(self._limit)
            self._hash.update(chunk)
            yield chunk


def in_parts(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Chunks joined into parts of at least ``size`` bytes, the last of which may be smaller."""
    held: list[bytes] = []
    waiting = 0
    for chunk in chunks:
        held.append(chunk)
        waiting += len(chunk)
        if waiting >= size:
            part, held, waiting = b"".join(held), [], 0
            yield part
            del part  # else it stays while the next one is gathered
    if held:
        yield b"".join(held)
