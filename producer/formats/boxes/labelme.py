"""Boxes and points of LabelMe: a JSON file for each image, with shapes in pixels from 0.

A rectangle, a circle, a mask and a polygon count as the box around them; a point is a point on an
object. Shapes of one label and one ``group_id`` are one object, as in LabelMe's own export to COCO.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from maskpool.asks import MAX_POINTS, Point
from maskpool.errors import SourceError
from producer.formats import json_file
from producer.formats.boxes.box_file import Box, BoxFile, ImageBoxes, Kind
from producer.formats.boxes.draft import Draft, read_each
from producer.formats.boxes.geometry import around, require_inside, within
from producer.formats.boxes.keys import require_own_image, stem_key
from producer.formats.boxes.label_files import require_file
from producer.formats.coco.fields import is_finite, shown

#: Fields that hold pixels: they are not read, and are most of a file.
UNREAD = frozenset({"imageData", "mask"})

_Corner = tuple[float, float]


@dataclass(slots=True)
class _Object:
    """Shapes that are one object."""

    label: int
    boxes: list[Box] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    def box(self) -> Box | None:
        """Around all of its shapes but the points."""
        corners = [
            corner for x, y, right, bottom in self.boxes for corner in ((x, y), (right, bottom))
        ]
        return around(corners) if corners else None


def read_labelme(path: Path, root: Path, files: list[str]) -> BoxFile:
    """Read a file, or a folder of files.

    Args:
        path: As it was given.
        root: The folder.
        files: Label files, below the folder.

    Raises:
        SourceError: The only file that was given cannot be read.
    """
    return read_each(Draft(path, Kind.LABELME), root, files, _add_file)


def is_labelme(data: object) -> bool:
    """Whether a JSON file is of LabelMe, by the field that no other format has."""
    return isinstance(data, dict) and "shapes" in data


def _add_file(draft: Draft, path: Path, name: str) -> None:
    require_file(path)
    data = json_file.load(path, UNREAD)
    if not is_labelme(data) or not isinstance(data["shapes"], list):
        reason = "has no list 'shapes', which a file of LabelMe has; a COCO file is given by itself"
        raise SourceError(str(path), reason)
    try:
        given = data.get("imagePath")
        require_own_image(name, given if isinstance(given, str) else "")
        image = draft.image(stem_key(name), ImageBoxes(name, path, _size(data)))
    except ValueError as error:
        raise SourceError(str(path), str(error)) from None
    _add_shapes(draft, image, data["shapes"])


def _add_shapes(draft: Draft, image: ImageBoxes, shapes: list[Any]) -> None:
    objects: dict[object, _Object] = {}
    for index, shape in enumerate(shapes):
        try:
            _add_shape(draft, image, objects, index, shape)
        except ValueError as error:
            name = shape.get("label") if isinstance(shape, dict) else None
            called = f" {name!r:.60}" if isinstance(name, str) else ""
            reason = f"shape{called} (index {index}): {error}"
            draft.problems.add(SourceError(str(image.place), reason))
    for one in objects.values():
        image.add(one.label, one.box(), points=tuple(one.points))


def _add_shape(
    draft: Draft, image: ImageBoxes, objects: dict[object, _Object], index: int, shape: object
) -> None:
    shape = _fields(shape)
    corners = _corners(shape.get("points"))
    kind = shape.get("shape_type", "polygon")  # files of old versions hold polygons only
    box = None if kind == "point" else within(_box(kind, corners), image.size)
    if box is None:
        _require_point(corners, image.size)
    label = draft.label(shape["label"])
    found = objects.setdefault(_object_key(shape, index, label), _Object(label))
    if box is not None:
        found.boxes.append(box)
    elif len(found.points) == MAX_POINTS:
        msg = f"is point {MAX_POINTS + 1} of one object, which may have {MAX_POINTS}"
        raise ValueError(msg)
    else:
        found.points.append((*corners[0], 1))


def _object_key(shape: dict[str, Any], index: int, label: int) -> object:
    """What shapes of one object have in common."""
    group = shape.get("group_id")
    if group is None:
        return ("shape", index)
    if type(group) not in (int, str):
        msg = f"group_id {shown(group)} must be a whole number, or null"
        raise ValueError(msg)
    return (label, group)


def _fields(shape: object) -> dict[str, Any]:
    if isinstance(shape, dict) and isinstance(shape.get("label"), str):
        return shape
    msg = "must be an object with a text 'label'"
    raise ValueError(msg)


def _box(kind: object, corners: list[_Corner]) -> Box:
    """The box around a shape that encloses an area."""
    match kind:
        case "rectangle" | "mask":
            _require_corners(kind, corners, (2, 4))  # newer tools write all four
        case "polygon" | "rotation":
            _require_corners(kind, corners, range(3, 1 << 30))
        case "circle":
            _require_corners(kind, corners, (2,))
            return _around_circle(*corners)
        case _:
            msg = f"shape_type {shown(kind)} encloses no area; draw a rectangle, polygon or point"
            raise ValueError(msg)
    return around(corners)


def _around_circle(middle: _Corner, edge: _Corner) -> Box:
    radius = math.dist(middle, edge)
    x, y = middle
    return (x - radius, y - radius, x + radius, y + radius)


def _require_corners(kind: object, corners: list[_Corner], allowed: Container[int]) -> None:
    if len(corners) not in allowed:
        msg = f"a {kind} cannot have {len(corners)} points"
        raise ValueError(msg)


def _require_point(corners: list[_Corner], size: tuple[int, int] | None) -> None:
    _require_corners("point", corners, (1,))
    require_inside(*corners[0], size)


def _corners(points: object) -> list[_Corner]:
    """Pairs of finite numbers, x first."""
    if not isinstance(points, list) or not points:
        msg = "has no list of points"
        raise ValueError(msg)
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(map(is_finite, point)):
            msg = "each of its points must be two finite numbers, x and y"
            raise ValueError(msg)
    return [(float(x), float(y)) for x, y in points]


def _size(data: dict[str, Any]) -> tuple[int, int] | None:
    """``(width, height)``; None where the file leaves both out."""
    width, height = data.get("imageWidth"), data.get("imageHeight")
    if width is None and height is None:
        return None
    if _is_side(width) and _is_side(height):
        return width, height
    given = f"{shown(width)} and imageHeight {shown(height)}"
    msg = f"imageWidth {given} must be whole numbers above 0"
    raise ValueError(msg)


def _is_side(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value < 1 << 31
