"""Several sources as one, and one that must not be large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import Source
from producer.sources.around import AroundSource, may_ask
from producer.sources.passed import PassedOver


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """Several sources, one after the other."""

    sources: tuple[Source, ...]
    kind: str = "joined"
    root: Path | None = None

    @property
    def text(self) -> str:
        """See ``producer.sources.Source``."""
        return ", ".join(source.text for source in self.sources)

    @property
    def inside(self) -> tuple[str, ...]:
        """See ``producer.sources.uploads.UploadSource``."""
        return tuple(start for source in self.sources for start in getattr(source, "inside", ()))

    def may_ask(self) -> bool:
        """See the function."""
        return any(map(may_ask, self.sources))

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """See ``producer.sources.Source``."""
        for source in self.sources:
            yield from source.refs(passed)

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        found: list[str] = []
        for source in self.sources:
            if any(ref.name == name for ref in source.refs()):
                found += source.places(name)
        return found


@dataclass(frozen=True)
class BoundedSource(AroundSource):
    """A source that must not have more images than so many."""

    source: Source
    most: int
    refusal: SourceError

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """As its source's; raises ``SourceError`` at the first image that is too many."""
        for count, ref in enumerate(self.source.refs(passed), start=1):
            if count > self.most:
                raise self.refusal
            yield ref
