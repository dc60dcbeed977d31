"""One image as a source: a file, an object or a URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maskpool.domain import ImageRef
from producer.sources.passed import PassedOver


@dataclass(frozen=True, slots=True)
class SingleSource:
    """A single image.

    Attributes:
        text: As its user wrote it; of a URL without the query, which may hold a key.
        kind: ``image``, ``s3`` or ``web``.
        ref: The image.
        place: Where it is, for people.
        root: Folder of a local file; None elsewhere.
    """

    text: str
    kind: str
    ref: ImageRef
    place: str
    root: Path | None = None

    def refs(self, _passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """The one image."""
        yield self.ref

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [self.place] if name == self.ref.name else []
