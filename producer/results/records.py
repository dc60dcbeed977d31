"""What reading a batch yields: finished images with what was found, and images that failed.

Exports, overlays, evaluation and the report are fed from iterators of these records and know
neither database nor store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self
from uuid import UUID

from maskpool.domain import Instance
from maskpool.packed_mask import Rle
from maskpool.tiling.record import Tiled
from producer.results.finer import FinerMasks


@dataclass(frozen=True, slots=True)
class LabelledInstance:
    """An instance under its category.

    Attributes:
        category: Display name of the prompt that found it, or of its object's class.
        instance: The stored mask with its figures.
        contender_category: That of its contender, which may not count itself; None without one.
    """

    category: str
    instance: Instance
    contender_category: str | None = None

    def with_mask(self, mask: Rle, area: int, box_xyxy: tuple[int, int, int, int]) -> Self:
        """The same with another mask, and its area and box; scores are those of the stored one."""
        found = replace(self.instance.found, mask=mask, box_xyxy=box_xyxy)
        return replace(self, instance=replace(self.instance, area=area, found=found))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an image's masks are from.

    Attributes:
        batch_id: Whose job found them; the first batch's where several are merged.
        model: Alias of the models that drew them.
        image_sha256: Hex digest of the image's bytes as they were seen.
    """

    batch_id: UUID
    model: str
    image_sha256: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """On which maps masks were drawn.

    Attributes:
        model: Alias of the models that drew them.
        tiled: How the image was looked at; None where no tiles were asked for.
    """

    model: str
    tiled: Tiled | None


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One image that was annotated, with everything that counts under the rule it was read by.

    Attributes:
        seq: Which job of its batch.
        name: Path under the source; ``file_name`` in exports.
        uri: Where the image's bytes are.
        width: Pixels, after EXIF orientation.
        height: Pixels, after EXIF orientation.
        instances: By prompt, best first, then those of objects in the order of their source; empty
            where nothing was found.
        tiled: How it was looked at; None where its batch asked for no tiles.
        origin: Where its masks are from; None where nobody needs to know.
        drawn: On which maps each of the instances was drawn; of merged batches each has its own.
            Empty where nobody needs to know.
        finer: What became of its masks where they were made finer.
    """

    seq: int
    name: str
    uri: str
    width: int
    height: int
    instances: tuple[LabelledInstance, ...]
    tiled: Tiled | None = None
    origin: Origin | None = None
    drawn: tuple[Drawn, ...] = ()
    finer: FinerMasks | None = None


class ImageStream(Protocol):
    """Images in an order that stays: a writer may go on where another one stopped."""

    @property
    def fingerprint(self) -> str:
        """A hash of where the images so far were read, and by which rule; left out ones count.

        Two streams that are equally far and have the same fingerprint gave the same images.
        """

    def __iter__(self) -> Iterator[ImageResult]: ...


#: Opens the images after the first so many; of those that are left out only the rows are read.
OpenImages = Callable[[int], ImageStream]


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that got no result, and the sentence that says why."""

    name: str
    error: str
