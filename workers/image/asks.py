"""The objects of one image: from the source's unit to the image's own pixels, and back as masks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskpool import rle
from maskpool.asks import ImageAsks, ObjectPrompt
from maskpool.domain import Found
from maskpool.errors import ImageError, SpecError
from maskpool.ports import ObjectAsk

log = logging.getLogger(__name__)

#: Objects that one line of the log names.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Placed:
    """The objects of an image, in its pixels.

    Attributes:
        inside: Those that the model can draw.
        outside: Those without a pixel in the image; nobody can draw them, so their masks are empty.
        size: ``(height, width)`` of the image, pixels.
        points_outside: How many points of each one inside were left out, by its place among the
            image's objects; those that kept all are not named.
    """

    inside: tuple[ObjectAsk, ...]
    outside: tuple[ObjectAsk, ...]
    size: tuple[int, int]
    points_outside: Mapping[int, int] = field(default_factory=dict)

    def complete(self, found: Sequence[Found]) -> list[Found]:
        """What was found, with an empty mask for each object that lies outside, in its place."""
        if not self.outside:
            return list(found)
        whole = [*found, *(_nothing(ask, self.size) for ask in self.outside)]
        # Texts stay before objects, and in their order.
        return sorted(whole, key=lambda one: -1 if one.object_index is None else one.object_index)


def place(
    prompts: dict[str, Any] | None, size: tuple[int, int], class_index: Mapping[str, int]
) -> Placed:
    """Read what an image is asked and convert it to the image's pixels.

    Boxes are clipped to the image. Points outside it are left out: they can say nothing of it.
    An object whose box lies outside, or that keeps no box and no point on it, is outside itself.

    Args:
        prompts: As the job keeps it; None where the image is asked for no object.
        size: ``(height, width)`` of the image as it is, upright, pixels.
        class_index: Place of each class among the batch's categories.

    Raises:
        ImageError: The objects are those of an image of another size.
        SpecError: They are damaged, or of a class that the batch does not have.
    """
    if prompts is None:
        return Placed((), (), size)
    asks = ImageAsks.read(prompts)
    _require_size(asks, size)
    placed = [_placed(index, asks, size, class_index) for index in range(len(asks.objects))]
    inside = tuple(ask for ask in placed if ask.box_xyxy or any(label for *_, label in ask.points))
    drawn = {ask.object_index for ask in inside}
    outside = tuple(ask for ask in placed if ask.object_index not in drawn)
    lost = {
        ask.object_index: len(asks.objects[ask.object_index].points) - len(ask.points)
        for ask in inside
    }
    return Placed(inside, outside, size, {index: count for index, count in lost.items() if count})


def say_outside(name: str, placed: Placed) -> None:
    """Log which objects of an image lie outside of it, and of which others points do."""
    height, width = placed.size
    if placed.outside:
        log.warning(
            "image %s: %s %s outside its %d × %d pixels, so the mask is empty",
            name,
            _objects([ask.object_index for ask in placed.outside]),
            "lie" if len(placed.outside) > 1 else "lies",
            width,
            height,
        )
    if count := sum(placed.points_outside.values()):
        log.warning(
            "image %s: %d %s of %s %s outside its %d × %d pixels and %s left out",
            name,
            count,
            "points" if count > 1 else "point",
            _objects(list(placed.points_outside)),
            "lie" if count > 1 else "lies",
            width,
            height,
            "are" if count > 1 else "is",
        )


def _objects(indices: Sequence[int]) -> str:
    """Objects of an image by their places, the first ones by name."""
    named = ", ".join(f"objects[{index}]" for index in indices[:_NAMED])
    return f"{named} and {len(indices) - _NAMED} more" if len(indices) > _NAMED else named


def _require_size(asks: ImageAsks, size: tuple[int, int]) -> None:
    height, width = size
    if asks.size is not None and asks.size != (width, height):
        raise ImageError(
            f"its objects are given for an image of {asks.size[0]} × {asks.size[1]} pixels, and "
            f"this one has {width} × {height}; give the objects of this very image"
        )


def _placed(
    index: int, asks: ImageAsks, size: tuple[int, int], class_index: Mapping[str, int]
) -> ObjectAsk:
    """One object; outside the image it has neither box nor points left."""
    one = asks.objects[index]
    if one.class_name not in class_index:
        raise SpecError(
            f"objects[{index}].class",
            f"{one.class_name!r} is none of the batch's classes; submit it with its classes",
        )
    height, width = size
    x, y = (width, height) if asks.unit == "fraction" else (1, 1)
    box = _box(one, x, y, size)
    outside = one.box_xyxy is not None and box is None
    points = [(px * x, py * y, label) for px, py, label in one.points]
    kept = [(px, py, on) for px, py, on in points if 0 <= px <= width and 0 <= py <= height]
    return ObjectAsk(
        object_index=index,
        prompt_index=class_index[one.class_name],
        box_xyxy=box,
        points=() if outside else tuple(kept),
        # Rounded as the row keeps it, so that a threshold cuts rows and mask objects alike.
        score=float(np.float32(one.score)),
    )


def _box(
    one: ObjectPrompt, x: float, y: float, size: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """An object's box, clipped to the image; None where there is none, or none of it inside."""
    if one.box_xyxy is None:
        return None
    height, width = size
    x0, x1 = (min(max(edge * x, 0.0), width) for edge in one.box_xyxy[0::2])
    y0, y1 = (min(max(edge * y, 0.0), height) for edge in one.box_xyxy[1::2])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _nothing(ask: ObjectAsk, size: tuple[int, int]) -> Found:
    return Found(
        ask.prompt_index,
        ask.score,
        (0.0, 0.0, 0.0, 0.0),
        rle.empty(size),
        object_index=ask.object_index,
    )
