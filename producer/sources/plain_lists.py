"""Manifests that are plain text: an image on each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import names
from producer.sources.grounds import Places
from producer.sources.lists import ListSource


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
        places = self.ground.places()
        for number, text in self.texts():
            try:
                ref = self._read(places, number, text)
            except SourceError as error:
                self.on_bad(error)
                continue
            if ref is not None:
                yield number, ref

    def _read(self, places: Places, number: int, text: str) -> ImageRef | None:
        """One line's reference; None of a blank line and of a comment."""
        uri = self.unpadded(places, number, text.rstrip("\r\n"))
        if len(uri.splitlines()) > 1:
            raise self.error(
                number,
                f"{names.shown(uri)} has an end of line in it that is none here; save the list "
                "with line ends \\n or \\r\\n",
            )
        if not uri or self._is_comment(places, number, uri):
            return None
        return self.ref(places, number, uri, None)

    def _is_comment(self, places: Places, line: int, uri: str) -> bool:
        if not uri.startswith("#"):
            return False
        looks_like_one = names.is_image(uri) and not uri[1].isspace()
        if looks_like_one or places.is_there(uri):
            raise self.error(
                line,
                f"{names.shown(uri)} may be an image or a comment; write {names.shown(f'./{uri}')} "
                "for the image, or begin the comment with '# ' and other words",
            )
        return True
