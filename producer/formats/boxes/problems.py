"""What of a file could not be used, as sentences."""

from __future__ import annotations

from collections.abc import Iterator

from maskpool.errors import SourceError

#: Sentences that are kept: nobody reads more, and a hostile file could hold a million.
_MAX_KEPT = 1_000


class Problems:
    """Sentences in the order of the file, each with its place; the first thousand are kept."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._count = 0

    def add(self, error: SourceError) -> None:
        """Note what a refusal says."""
        self._count += 1
        if self._count <= _MAX_KEPT:
            self._kept.append(str(error))

    @property
    def count(self) -> int:
        """All of them, those that are not kept as well."""
        return self._count

    def __iter__(self) -> Iterator[str]:
        """The sentences, and a last one where there were more."""
        yield from self._kept
        if more := self._count - len(self._kept):
            yield f"and {more:,} more of this kind"
