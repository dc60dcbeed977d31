"""A mask drawn to its picture's edges by a guided filter, in the padded box of the mask.

The guide is one figure a pixel: the mixture of red, green and blue that tells the two sides of the
mask's outline apart best. Within a window, the mask is taken for a linear function of it (He, Sun
and Tang, "Guided Image Filtering").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from maskpool import rle
from maskpool.ports import Image as Picture
from maskpool.rle import Runs
from maskpool.rle_crops import crop
from maskpool.rle_scaling import joined

_Map = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

#: Half of a window, in cells of the model's map: so far may an outline lie beside its edge.
_CELLS = 1.0

#: Variance of the guide, in [0, 1]², below which a window counts as flat and is averaged.
_FLAT = 1e-2

#: What keeps the mixture defined where all pixels of a side have one colour.
_COLOUR_NOISE = 1e-3

#: Pixels that each side needs for a mixture to be told.
_LEAST_PIXELS = 5


def guided(runs: Runs, picture: Picture, cell: tuple[float, float]) -> Runs:
    """The mask as the picture's edges near its outline have it.

    Args:
        runs: The mask, of the picture's size.
        picture: RGB uint8 (height, width, 3), upright.
        cell: Height and width in pixels of a cell of the model's map.
    """
    if runs.starts.size == 0:
        return runs
    reach = (max(1, round(_CELLS * cell[0])), max(1, round(_CELLS * cell[1])))
    box = _padded(rle.box_xyxy(runs), reach, runs.size)
    inside = np.ascontiguousarray(crop(runs, box).T)
    left, top, right, bottom = box
    # A window of many pixels is looked at in blocks of some of them.
    block = max(1, int(min(cell) / 2))
    seen = Image.fromarray(np.ascontiguousarray(picture[top:bottom, left:right]))
    share = _reduced(inside.astype(np.float32), block)
    small: _Map = np.asarray(seen.reduce(block), dtype=np.float32) / np.float32(255)
    window = (max(1, round(reach[0] / block)), max(1, round(reach[1] / block)))
    mixture = _mixture(small, share, window)
    if mixture is None:
        return runs
    slope, offset = _fitted(np.asarray(small @ mixture, dtype=np.float32), share, window)
    guide = np.asarray(seen, dtype=np.float32) @ (mixture / np.float32(255))
    drawn = _enlarged(slope, guide.shape, block) * guide + _enlarged(offset, guide.shape, block)
    return _whole(drawn > 0.5, box, runs.size)


def _padded(
    box: tuple[int, int, int, int], reach: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    down, across = 2 * reach[0], 2 * reach[1]
    return (
        max(0, left - across),
        max(0, top - down),
        min(size[1], right + across),
        min(size[0], bottom + down),
    )


def _whole(inside: _Mask, box: tuple[int, int, int, int], size: tuple[int, int]) -> Runs:
    """The runs in the whole image of what a box shows."""
    left, top, right, bottom = box
    steps = np.zeros((right - left, bottom - top + 2), dtype=np.bool_)
    steps[:, 1:-1] = inside.T
    differs = steps[:, 1:] != steps[:, :-1]
    column, row = np.divmod(np.flatnonzero(differs), differs.shape[1])
    at = (column + left) * size[0] + row + top
    return joined(at[0::2], at[1::2], size)


def _mixture(picture: _Map, share: _Map, window: tuple[int, int]) -> _Map | None:
    """Weights of the colours that tell both sides of an outline apart (Fisher), float32 (3,).

    None where there is no outline, or too little on one side of it.
    """
    near = _mean(share, window)
    near_it = (near > 0) & (near < 1)
    within, without = (picture[near_it & side] for side in (share > 0.5, share <= 0.5))
    if min(len(within), len(without)) < _LEAST_PIXELS:
        return None
    spread = np.cov(within.T) + np.cov(without.T) + _COLOUR_NOISE * np.eye(3)
    apart = np.linalg.solve(spread, within.mean(axis=0) - without.mean(axis=0))
    length = float(np.linalg.norm(apart))
    return np.asarray(apart / length, dtype=np.float32) if length else None


def _fitted(guide: _Map, share: _Map, window: tuple[int, int]) -> tuple[_Map, _Map]:
    """Slope and offset by which each place's mask follows from its guide."""
    guide_mean, share_mean = _mean(guide, window), _mean(share, window)
    together = _mean(np.multiply(guide, share), window) - guide_mean * share_mean
    spread = _mean(np.square(guide), window) - guide_mean * guide_mean
    slope: _Map = np.asarray(together / (spread + np.float32(_FLAT)), dtype=np.float32)
    return _mean(slope, window), _mean(share_mean - slope * guide_mean, window)


def _mean(values: _Map, window: tuple[int, int]) -> _Map:
    """Means over windows of so many places to each side, cut at the edges."""
    for axis, reach in enumerate(window):
        size = values.shape[axis]
        first = np.maximum(np.arange(size) - reach, 0)
        behind = np.minimum(np.arange(size) + reach + 1, size)
        edge = [(1, 0), (0, 0)] if axis == 0 else [(0, 0), (1, 0)]
        # In double precision: a sum over a long column would lose a window's digits.
        sums = np.pad(values.cumsum(axis=axis, dtype=np.float64), edge)
        total = sums.take(behind, axis) - sums.take(first, axis)
        count = (behind - first)[:, None] if axis == 0 else behind - first
        values = (total / count).astype(np.float32)
    return values


def _reduced(values: _Map, block: int) -> _Map:
    return np.asarray(Image.fromarray(values).reduce(block))


def _enlarged(values: _Map, shape: tuple[int, ...], block: int) -> _Map:
    """Bilinearly, each value at its block's middle; the last blocks may be cut."""
    if block == 1:
        return values
    height, width = shape
    edges = (0.0, 0.0, width / block, height / block)
    resized = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR, edges)
    return np.asarray(resized)
