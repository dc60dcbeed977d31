"""A source whose images are asked for the objects that a file of boxes names in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.formats.boxes import BoxFile, Matcher, Unmatched, read_boxes
from producer.sources import Source
from producer.sources.passed import PassedOver


class BoxedSource:
    """Another source's images, with what is asked of each.

    Args:
        source: Of the images.
        path: Of the file or folder with boxes.

    Raises:
        SourceError: It is no file of boxes.
    """

    def __init__(self, source: Source, path: Path) -> None:
        self._source = source
        self._file: BoxFile = read_boxes(path)
        self._matcher = Matcher(self._file)
        self.path = path
        self.text, self.kind, self.root = source.text, source.kind, source.root

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes of the file, in its own order."""
        return self._file.classes

    @property
    def problems(self) -> list[str]:
        """What of the file cannot be used, each as a sentence."""
        return list(self._file.problems)

    @property
    def unmatched(self) -> Unmatched:
        """What was left of the file after the last image."""
        return self._matcher.unmatched()

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """See ``producer.sources.Source``."""
        self._matcher = Matcher(self._file)
        for ref in self._source.refs(passed):
            if ref.prompts is not None:
                raise SourceError(
                    self.text,
                    f"{ref.name!r} has prompts of its own; leave those or the file of boxes out",
                )
            asks = self._matcher.asks_of(ref.name)
            yield ref if asks is None else replace(ref, prompts=asks.json_text)

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return self._source.places(name)
