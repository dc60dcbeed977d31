"""Objects whose masks have no pixel: stored, said by name, and never an annotation of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from producer.results.records import ImageResult

#: Empty masks that are named at most; their count is always exact.
_MAX_NAMED = 1_000

#: Of these, in a sentence.
_SAID = 3


@dataclass(frozen=True, slots=True)
class EmptyMask:
    """One of them.

    Attributes:
        file_name: The image's name.
        object_index: Which of the image's objects, from 0; None where a prompt found it.
        category: Of the object.
    """

    file_name: str
    object_index: int | None
    category: str

    def __str__(self) -> str:
        if self.object_index is None:
            return f"{self.file_name} {self.category}"
        return f"{self.file_name} objects[{self.object_index}]"


@dataclass(frozen=True, slots=True)
class EmptyMasks:
    """All of a batch.

    Attributes:
        count: How many.
        named: The first of them.
    """

    count: int = 0
    named: tuple[EmptyMask, ...] = ()

    def and_those_of(self, image: ImageResult) -> EmptyMasks:
        """These, and those of one more image."""
        new = tuple(_empty(image))
        if not new:
            return self
        left = _MAX_NAMED - len(self.named)
        return EmptyMasks(self.count + len(new), self.named + new[:left])

    def json(self) -> dict[str, object]:
        """How many, and which."""
        named = [
            {"file_name": one.file_name, "object": one.object_index, "category": one.category}
            for one in self.named
        ]
        return {"empty_masks": self.count, "empty_mask_objects": named}

    def info(self) -> dict[str, object]:
        """What a dataset says of them; nothing where there are none."""
        return self.json() if self.count else {}

    def sentence(self) -> str:
        """What a user is told of them; empty where there are none."""
        if not self.count:
            return ""
        said = ", ".join(map(str, self.named[:_SAID]))
        more = f" and {self.count - _SAID:,} more" if self.count > _SAID else ""
        if self.count == 1:
            return f"1 object gave an empty mask, which is not in the dataset: {said}"
        return (
            f"{self.count:,} objects gave empty masks, which are not in the dataset: {said}{more}"
        )


#: Of a batch without any.
NO_EMPTY_MASKS = EmptyMasks()


def _empty(image: ImageResult) -> Iterable[EmptyMask]:
    for one in image.instances:
        if not one.instance.area:
            yield EmptyMask(image.name, one.instance.found.object_index, one.category)
