"""What an image and an annotation of COCO say of themselves, beside box and mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from producer.formats.coco.fields import Entry, shown

#: Largest image, in pixels: the API of COCO counts pixels in 32 bits, with a sign here and there.
_MAX_PIXELS = 2**31 - 1

Value = TypeVar("Value")


def known(row: Entry, key: str, values: Mapping[int, Value]) -> Value:
    """What an annotation names by an id: its image, or its category.

    Raises:
        SourceError: The file has no such id.
    """
    value = row.whole(key)
    if value not in values:
        table = "images" if key == "image_id" else "categories"
        raise row.error(f"{key} {shown(value)} is not among the ids of {table!r} in the file")
    return values[value]


def image_size(image: Entry) -> tuple[int, int]:
    """``(height, width)`` of an image, pixels.

    Raises:
        SourceError: One of them is missing, or none of an image.
    """
    width, height = image.whole("width"), image.whole("height")
    if width < 1 or height < 1:
        reason = f"width {shown(width)} and height {shown(height)} must be whole numbers above 0"
        raise image.error(reason)
    if width * height > _MAX_PIXELS:
        given = f"width {shown(width)} and height {shown(height)}"
        raise image.error(f"{given} are of an image larger than {_MAX_PIXELS:,} pixels")
    return height, width


def score_of(row: Entry) -> float:
    """The score of an annotation, in [0, 1]; 1 where it has none.

    Raises:
        SourceError: It is something else.
    """
    score = row.number("score")
    if score is not None and score > 1:
        raise row.error(f"score {shown(score)} must lie between 0 and 1")
    return 1.0 if score is None else score


def is_of_object(row: Entry) -> bool:
    """Whether a box or points of somebody gave an annotation, as ``write_coco`` says it.

    Raises:
        SourceError: ``object_index`` is no place among the objects of an image.
    """
    value = row.values.get("object_index")
    if value is not None and (type(value) is not int or value < 0):
        raise row.error(f"object_index {shown(value)} must be a whole number, 0 or more")
    return value is not None


def is_crowd(row: Entry) -> bool:
    """Whether an annotation stands for many objects at once.

    Raises:
        SourceError: ``iscrowd`` is neither 0 nor 1.
    """
    value = row.values.get("iscrowd", 0)
    if type(value) is not int or value not in (0, 1):
        raise row.error(f"iscrowd {shown(value)} must be the number 0 or 1")
    return value == 1
