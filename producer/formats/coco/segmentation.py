"""A COCO segmentation → runs: compressed RLE, uncompressed RLE, or polygons.

pycocotools, which draws polygons, is written in C and believes what it is given: a coordinate of
2e8 takes all memory or ends the process. So it only ever sees what was checked here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from maskpool import rle
from producer.formats.coco.fields import is_finite, is_number, shown

#: How far outside its image a polygon may reach, in sides of the image: tools that crop or turn
#: images leave polygons that overshoot, which COCO cuts at the edge.
_MAX_OVERSHOOT = 1.0

#: Longest outline of an instance, in pixels: pycocotools takes about 100 bytes for each.
_MAX_OUTLINE = 2_000_000

_Points = npt.NDArray[np.float64]


def runs_of(segmentation: object, size: tuple[int, int]) -> rle.Runs:
    """The runs of a segmentation.

    Args:
        segmentation: As JSON gave it.
        size: ``(height, width)`` of its image, pixels.

    Raises:
        ValueError: It is none, or none of an image of that size; a sentence without the place.
    """
    if isinstance(segmentation, dict):
        return _rle_runs(segmentation, size)
    if isinstance(segmentation, list) and segmentation:
        return _polygon_runs(segmentation, size)
    if segmentation is None or segmentation == []:
        msg = "has no segmentation; a box alone cannot be scored as a mask"
    else:
        msg = f"segmentation {shown(segmentation)} must be a list of polygons, or RLE"
    raise ValueError(msg)


def require_box(box: object, size: tuple[int, int]) -> None:
    """Check a ``bbox`` that is not used; tools that write no box leave it out, null or empty.

    Raises:
        ValueError: It is none, or lies far outside its image; a sentence without the place.
    """
    if box is None or box == []:
        return
    x, y, width, height = box_xywh(box)
    for value, side in ((x, size[1]), (y, size[0]), (x + width, size[1]), (y + height, size[0])):
        if not _is_near(value, side):
            msg = f"bbox reaches to {shown(value)}, far outside the image of {shown_size(size)}"
            raise ValueError(msg)


def box_xywh(box: object) -> tuple[float, float, float, float]:
    """The numbers of a ``bbox``: x, y, width and height in pixels.

    Raises:
        ValueError: It is none; a sentence without the place.
    """
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_finite, box)):
        msg = "bbox must be four finite numbers: x, y, width and height"
        raise ValueError(msg)
    x, y, width, height = box
    if width < 0 or height < 0:
        msg = f"bbox has a width of {shown(width)} and a height of {shown(height)}, below 0"
        raise ValueError(msg)
    return x, y, width, height


def _is_near(value: float, side: int) -> bool:
    """Whether a coordinate in pixels belongs to an image with such a side; NaN does not."""
    return -_MAX_OVERSHOOT * side <= value <= (1 + _MAX_OVERSHOOT) * side


def shown_size(size: tuple[int, int]) -> str:
    """A size as people write it."""
    return f"{size[1]}×{size[0]} pixels"


def _rle_runs(segmentation: dict[str, Any], size: tuple[int, int]) -> rle.Runs:
    _require_size(segmentation.get("size"), size)
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        return rle.to_runs(rle.Rle(size, counts))
    if isinstance(counts, list):
        return _plain_runs(counts, size)
    msg = "segmentation has no 'counts', which must be a text or a list of whole numbers"
    raise ValueError(msg)


def _require_size(given: object, size: tuple[int, int]) -> None:
    if not isinstance(given, list) or [type(side) for side in given] != [int, int]:
        msg = "segmentation needs a 'size' of two whole numbers, the height first"
        raise ValueError(msg)
    if (given[0], given[1]) != size:
        there = f"{shown(given[1])}×{shown(given[0])} pixels"
        msg = f"mask of {there} in an image of {shown_size(size)}"
        raise ValueError(msg)


def _plain_runs(counts: list[Any], size: tuple[int, int]) -> rle.Runs:
    """Uncompressed RLE: the counts as a list of numbers."""
    total = size[0] * size[1]
    # Whole numbers of any size are added without overflow before NumPy sees them.
    for place, count in enumerate(counts):
        if type(count) is not int or not 0 <= count <= total:
            msg = (
                f"RLE count {shown(count)} (index {place}) must be a whole number from 0 to "
                f"{total}, the pixels of the image"
            )
            raise ValueError(msg)
    return rle.runs_of_counts(np.asarray(counts, dtype=np.int64), size)


def _polygon_runs(polygons: list[Any], size: tuple[int, int]) -> rle.Runs:
    """Polygons under COCO's own half-pixel rules, which differ from every other rasteriser's."""
    try:
        from pycocotools import mask as coco_mask  # noqa: PLC0415 - it is not always installed
    except ImportError:
        msg = "is a polygon, which only pycocotools reads as COCO means it; pip install pycocotools"
        raise ValueError(msg) from None
    _require_drawable([_points(i, polygon, size) for i, polygon in enumerate(polygons)], size)
    drawn = coco_mask.frPyObjects(polygons, *size)
    # Not pycocotools' own merge: that takes memory for each pixel of the image.
    return rle.union([rle.to_runs(rle.Rle(size, one["counts"].decode())) for one in drawn])


def _points(place: int, polygon: object, size: tuple[int, int]) -> _Points:
    """The corners of a polygon, float64 (corners, 2), x first; all of them near the image."""
    where = f"polygon (index {place})"
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        has = f"{len(polygon)} of them" if isinstance(polygon, list) else shown(polygon)
        msg = f"a polygon needs an even number of coordinates, at least six; {where} has {has}"
        raise ValueError(msg)
    if not set(map(type, polygon)) <= {int, float}:
        wrong = next(value for value in polygon if not is_number(value))
        msg = f"{where}: coordinate {shown(wrong)} must be a number"
        raise ValueError(msg)
    try:
        points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    except OverflowError:
        msg = f"{where}: a coordinate is far outside the image of {shown_size(size)}"
        raise ValueError(msg) from None
    corners = zip(points.min(axis=0), points.max(axis=0), reversed(size), strict=True)
    if not all(_is_near(low, side) and _is_near(high, side) for low, high, side in corners):
        sides = (size[1], size[0]) * len(points)
        wrong = next(v for v, side in zip(polygon, sides, strict=True) if not _is_near(v, side))
        msg = f"{where}: coordinate {shown(wrong)} is far outside the image of {shown_size(size)}"
        raise ValueError(msg)
    return points


def _require_drawable(polygons: list[_Points], size: tuple[int, int]) -> None:
    """Refuse an outline that is too long, as pycocotools walks it: the longer of dx and dy."""
    longest_step = (1 + 2 * _MAX_OVERSHOOT) * max(size)
    if sum(map(len, polygons)) * longest_step <= _MAX_OUTLINE:
        return
    steps = [np.abs(points - np.roll(points, 1, axis=0)).max(axis=1) for points in polygons]
    outline = sum(float(one.sum()) for one in steps)
    if outline > _MAX_OUTLINE:
        msg = (
            f"the outline is {outline:,.0f} pixels long, more than the {_MAX_OUTLINE:,} that are "
            "drawn; store the mask as RLE"
        )
        raise ValueError(msg)
