"""Manifests that are plain text: an image on each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maskpool.domain import ImageRef
from producer.sources import names
from producer.sources.lists import Base, ListSource, is_there


@dataclass(frozen=True, slots=True)
class TextSource(ListSource):
    """A path or a URL on each line.

    Blank lines are passed over, and so are comments: a ``#`` alone, or before a space, or before
    what neither looks like an image nor is there. A line that may be an image or a comment is
    refused, and so is one whose spaces at the ends belong to the name of a file that is there.
    """

    kind: str = "txt"

    def numbered(self) -> Iterator[tuple[int, ImageRef]]:
        """See ``ListSource``."""
        base = Base.of(self)
        for number, text in self.texts():
            uri = self.unpadded(base, number, text.rstrip("\r\n"))
            if len(uri.splitlines()) > 1:
                raise self.error(
                    number,
                    f"{names.shown(uri)} has an end of line in it that is none here; save the list "
                    "with line ends \\n or \\r\\n",
                )
            if uri and not self._is_comment(base, number, uri):
                yield number, self.ref(base, number, uri, None)

    def _is_comment(self, base: Base, line: int, uri: str) -> bool:
        if not uri.startswith("#"):
            return False
        looks_like_one = names.is_image(uri) and not uri[1].isspace()
        if looks_like_one or is_there(base, uri):
            raise self.error(
                line,
                f"{names.shown(uri)} may be an image or a comment; write {names.shown(f'./{uri}')} "
                "for the image, or begin the comment with '# ' and other words",
            )
        return True
