"""Boundary IoU: how well the outlines of two masks agree, whatever lies within them.

Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation": of each mask
counts what lies near its own outline, where the image's edge is outline, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maskpool import rle
from maskpool.rle import Runs
from maskpool.rle_crops import crop

#: How wide the boundary is, as a share of the image's diagonal.
_WIDTH = 0.02

_Mask = npt.NDArray[np.bool_]


def boundary_iou(one: Runs, other: Runs) -> float:
    """IoU of what lies near the outlines of two masks of one image; 0 where both are empty."""
    box = _around(rle.box_xyxy(one), rle.box_xyxy(other))
    width = boundary_width(one.size)
    near_one, near_other = (boundary(crop(runs, box), width) for runs in (one, other))
    union = int((near_one | near_other).sum())
    return int((near_one & near_other).sum()) / union if union else 0.0


def boundary_width(size: tuple[int, int]) -> int:
    """Pixels that a boundary is wide in an image of a size (height, width)."""
    return max(1, round(_WIDTH * float(np.hypot(*size))))


def _around(*boxes: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    full = [box for box in boxes if box[2] > box[0]] or [(0, 0, 0, 0)]
    left, top, right, bottom = zip(*full, strict=True)
    return min(left), min(top), max(right), max(bottom)


def boundary(mask: _Mask, width: int) -> _Mask:
    """Pixels of a mask for which a square of so many pixels to each side leaves it.

    Beyond what is given lies no pixel of the mask.
    """
    inner = mask
    for axis in (0, 1):
        inner = _shrunk(inner, width, axis)
    return mask & ~inner


def _shrunk(mask: _Mask, width: int, axis: int) -> _Mask:
    """Pixels that have only pixels of the mask within a width to both sides along an axis."""
    edge = [(width + 1, width), (0, 0)] if axis == 0 else [(0, 0), (width + 1, width)]
    sums = np.pad(mask, edge).cumsum(axis=axis, dtype=np.int32)
    side = mask.shape[axis]
    first, behind = np.arange(side), np.arange(side) + 2 * width + 1
    return np.asarray(sums.take(behind, axis) - sums.take(first, axis) == 2 * width + 1)
