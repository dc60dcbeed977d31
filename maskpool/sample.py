"""A batch over some images of a source, drawn by lot, before anybody pays for the whole."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import Any, TypeVar

#: Images of a sample: they are held in memory while the rest of the source is read.
MAX_IMAGES = 10_000

MAX_SEED = 2**31 - 1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """How many images of a source are drawn, and how.

    Attributes:
        images: At most so many, 1 to ``MAX_IMAGES``; a smaller source is taken whole.
        seed: Another one draws other images, 0 to ``MAX_SEED``.
        of: Images of the source when it was drawn; None before.
    """

    images: int
    seed: int = 0
    of: int | None = None

    def drawn_from(self, count: int) -> Sample:
        """The same, of a source with so many images."""
        return replace(self, of=count)

    @property
    def drawing(self) -> tuple[int, int]:
        """What decides which images of one source are drawn."""
        return self.images, self.seed

    def sentence(self) -> str:
        """E.g. ``a sample of 200 images (seed 7)``."""
        seed = f" (seed {self.seed})" if self.seed else ""
        return f"a sample of {self.images:,} images{seed}"

    def dump(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def read_sample(stored: dict[str, Any] | None) -> Sample | None:
    """The sample that ``Sample.dump`` wrote; None for a batch of a whole source."""
    return None if stored is None else Sample(stored["images"], stored["seed"], stored["of"])


def draw(sample: Sample, things: Iterable[T], name: Callable[[T], str]) -> tuple[list[T], int]:
    """Draw from a stream, and count it.

    Each name has a lot of its own, so that the order of the stream decides nothing, and a source
    that grew by a few images gives nearly the same sample.

    Args:
        sample: How many, and the seed.
        things: Read to the end.
        name: Of one of them.

    Returns:
        Those with the smallest lots, in the stream's order, and how many there were in all.
    """
    seed = sample.seed.to_bytes(4)
    count = 0

    def lots() -> Iterable[tuple[bytes, int, T]]:
        nonlocal count
        for thing in things:
            written = name(thing).encode(errors="surrogatepass")
            yield blake2b(written, digest_size=16, key=seed).digest(), count, thing
            count += 1

    least = heapq.nsmallest(sample.images, lots(), key=lambda one: one[:2])
    return [thing for _, _, thing in sorted(least, key=lambda one: one[1])], count
