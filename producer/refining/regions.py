"""Small islands and small holes of a mask, found among its runs without a pixel being drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maskpool import rle
from maskpool.rle import Runs
from maskpool.rle_scaling import joined, pieces

_Places = npt.NDArray[np.int64]

#: Islands and holes of fewer pixels go, whatever the mask's size.
LEAST_PIXELS = 16

#: Likewise those below this share of the mask's area.
LEAST_SHARE = 0.005


def limit_of(area: int) -> float:
    """Pixels that an island or a hole of a mask of such an area needs in order to stay."""
    return max(LEAST_PIXELS, LEAST_SHARE * area)


def cleaned(runs: Runs) -> Runs:
    """The mask without holes, and then without islands, below ``limit_of`` its area.

    Pixels of an island touch by a side or a corner, those of a hole by a side. What is open to the
    image's edge is no hole. The largest island stays whatever its size.
    """
    if runs.starts.size == 0:
        return runs
    least = limit_of(runs.area)
    box = rle.box_xyxy(runs)
    # A mask framed by one background pixel: no run reaches a column's end, and all that is outside
    # of the mask is one region.
    framed = _framed(runs, box)
    kept = _without_islands(_without_holes(framed, least), least)
    return runs if kept is framed else _unframed(kept, box, runs.size)


def _framed(runs: Runs, box: tuple[int, int, int, int]) -> Runs:
    left, top, right, bottom = box
    height = bottom - top + 2
    column, first, behind = pieces(runs)
    base = (column - left + 1) * height - top + 1
    return Runs((height, right - left + 2), base + first, base + behind)


def _unframed(runs: Runs, box: tuple[int, int, int, int], size: tuple[int, int]) -> Runs:
    left, top, _, _ = box
    column, first = np.divmod(runs.starts, runs.size[0])
    starts = (column + left - 1) * size[0] + first + top - 1
    return joined(starts, starts + runs.ends - runs.starts, size)


def _without_holes(runs: Runs, least: float) -> Runs:
    height, width = runs.size
    gaps = Runs(
        runs.size,
        np.concatenate(([0], runs.ends)),
        np.concatenate((runs.starts, [height * width])),
    )
    column, first, behind = pieces(gaps)
    starts, ends = column * height + first, column * height + behind
    region, pixels = _regions(starts, ends, height, reach=0)
    small = (pixels < least)[region] & (region != region[0])
    if not small.any():
        return runs
    return rle.union([runs, Runs(runs.size, starts[small], ends[small])])


def _without_islands(runs: Runs, least: float) -> Runs:
    region, pixels = _regions(runs.starts, runs.ends, runs.size[0], reach=1)
    kept = (pixels >= least)[region] | (region == pixels.argmax())
    return runs if kept.all() else Runs(runs.size, runs.starts[kept], runs.ends[kept])


def _regions(
    starts: _Places, ends: _Places, height: int, reach: int
) -> tuple[_Places, npt.NDArray[np.float64]]:
    """Which runs hang together.

    Args:
        starts: Of runs within single columns, rising, int64 (n,).
        ends: Behind them.
        height: Of a column, pixels.
        reach: 1 where corners hold runs together, 0 where only sides do.

    Returns:
        The region of each run, named by its first run, and the pixels of each region, float64 (n,)
        by that name.
    """
    # Those of the next column that touch a run lie side by side.
    low = ends.searchsorted(starts + height - reach, side="right")
    count = starts.searchsorted(ends + height + reach, side="left") - low
    one = np.repeat(np.arange(starts.size), count)
    behind = np.cumsum(count)
    other = np.arange(one.size) + np.repeat(low - behind + count, count)
    region = _joined_up(starts.size, one, other)
    pixels = np.bincount(region, weights=ends - starts, minlength=starts.size)
    return region, np.asarray(pixels, dtype=np.float64)


def _joined_up(count: int, one: _Places, other: _Places) -> _Places:
    """The first member of each thing's group, given pairs of things that belong together."""
    first = np.arange(count)
    while one.size:
        mine, its = first[one], first[other]
        apart = mine != its
        one, other, mine, its = one[apart], other[apart], mine[apart], its[apart]
        np.minimum.at(first, np.maximum(mine, its), np.minimum(mine, its))
        while True:
            further = first[first]
            if (further == first).all():
                break
            first = further
    return first
