"""Which images of a source a file of boxes means.

An image and an entry of the file belong together where their paths are the same, or where one path
is the end of the other: ``train/x.jpg`` and ``x.jpg``. The longest common end counts. Paths whose
folders differ (``a/x.jpg`` and ``b/x.jpg``) are two images, as frames of two videos are. What could
be read in two ways is refused: two entries for one image, and one entry for two images.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

from maskpool.asks import ImageAsks
from maskpool.errors import SourceError
from maskpool.text import counted
from producer.formats.boxes.box_file import BoxFile
from producer.formats.boxes.keys import path_key, stem_key, tails

#: Names that a sentence shows.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What was left when all images of a source had been asked for.

    Attributes:
        entries: Images of the file that the source does not have, in the file's order.
        objects: Their objects, all together.
        asked: Images of the source.
        without: Those of them that the file says nothing of.
        example: The first of them; empty where there is none.
    """

    entries: tuple[str, ...]
    objects: int
    asked: int
    without: int
    example: str

    def __str__(self) -> str:
        """A sentence for people; empty where nothing was left in the file."""
        if not self.entries:
            return ""
        names = ", ".join(f"{name!r:.200}" for name in self.entries[:_SHOWN])
        more = ", …" if len(self.entries) > _SHOWN else ""
        text = (
            f"{counted(len(self.entries), 'image')} of the file, with "
            f"{counted(self.objects, 'object')}, match no image of the source: {names}{more}"
        )
        if self.example:
            text += f"; the file says nothing of e.g. {self.example!r:.200}"
        return text


class Matcher:
    """Looks up the images of a source, one after the other.

    Args:
        file: With the boxes; what was asked of it is remembered here only.
    """

    def __init__(self, file: BoxFile) -> None:
        self._file = file
        self._key = stem_key if file.by_stem else path_key
        self._taken: dict[str, str] = {}
        self._asked = 0
        self._without = 0
        self._example = ""

    def asks_of(self, name: str) -> ImageAsks | None:
        """What an image is asked; None where the file says nothing of it.

        Args:
            name: Of the image, below its source.

        Raises:
            SourceError: The file means two images by one entry, or this one by two; names both.
        """
        self._asked += 1
        entry = self._entry(name)
        if entry is None:
            self._without += 1
            self._example = self._example or name
            return None
        other = self._taken.setdefault(entry, name)
        if other != name:
            raise self._error(
                f"{self._called(entry)} could be the image {other!r:.200} or {name!r:.200} of the "
                "source; write its path into the file, or name a source with one of them"
            )
        return self._file.asks_of(entry)

    def unmatched(self) -> Unmatched:
        """What was left, after the last image."""
        images = self._file.images
        left = [image for key, image in images.items() if key not in self._taken]
        return Unmatched(
            entries=tuple(image.called for image in left),
            objects=sum(image.count for image in left),
            asked=self._asked,
            without=self._without,
            example=self._example,
        )

    def _entry(self, name: str) -> str | None:
        """The key in the file that means an image."""
        key = self._key(name)
        if key in self._file.images:
            return key
        longer = self._ending_with(key)
        if len(longer) > 1:
            raise self._error(
                f"the image {name!r:.200} of the source could be {self._called(longer[0])} or "
                f"{self._called(longer[1])}; name a source above its folder"
            )
        if longer:
            return longer[0]
        return next((tail for tail in tails(key) if tail in self._file.images), None)

    def _ending_with(self, key: str) -> list[str]:
        """At most two keys of the file that end with this path."""
        start = f"{_turned(key)}/"
        place = bisect_left(self._by_end, start)
        return [_turned(one) for one in self._by_end[place : place + 2] if one.startswith(start)]

    @cached_property
    def _by_end(self) -> list[str]:
        """Keys with folders, their parts turned round: those with one end stand side by side."""
        return sorted(_turned(key) for key in self._file.images if "/" in key)

    def _called(self, key: str) -> str:
        return f"{self._file.images[key].called!r:.200}"

    def _error(self, reason: str) -> SourceError:
        return SourceError(str(self._file.path), reason)


def _turned(key: str) -> str:
    """A path from its last part to its first."""
    return "/".join(reversed(key.split("/")))
