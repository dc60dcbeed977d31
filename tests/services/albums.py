"""Images of an export without database or store; reading them may break off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from producer.results.records import ImageResult


@dataclass
class Album:
    """Opens streams of the same images.

    Attributes:
        images: In their order.
        rule: By which they are read.
        before: Called with the place of each image before it is handed out; may raise.
        opened: How many images each stream left out.
    """

    images: Sequence[ImageResult]
    rule: str = ""
    before: Callable[[int], object] = lambda _: None
    opened: list[int] = field(default_factory=list)

    def __call__(self, skip: int) -> Stream:
        self.opened.append(skip)
        return Stream(self, skip)


class Stream:
    """The images after the first so many; see ``producer.results.records.ImageStream``."""

    def __init__(self, album: Album, skip: int) -> None:
        self._before = album.before
        self._left = enumerate(album.images)
        self._seen = hashlib.sha256(album.rule.encode())
        for _, image in islice(self._left, skip):
            self._see(image)

    @property
    def fingerprint(self) -> str:
        return self._seen.hexdigest()

    def __iter__(self) -> Iterator[ImageResult]:
        for place, image in self._left:
            self._before(place)
            self._see(image)
            yield image

    def _see(self, image: ImageResult) -> None:
        self._seen.update(repr(image).encode())
