"""Masks made smaller without decoding them: from runs to runs, to the pixel as nearest does it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from maskpool import rle
from maskpool.packed_mask import Rle
from maskpool.rle import Runs

_Places = npt.NDArray[np.int64]


def scaled(mask: Rle, size: tuple[int, int]) -> Rle:
    """A mask of a smaller picture of the same image.

    Each pixel of it is the one of the mask below its centre, as Pillow's NEAREST means it. Where a
    centre lies on an edge, it is the pixel behind; Pillow's floats may take the one before.

    Args:
        mask: Of the image.
        size: ``(height, width)`` of the smaller picture, pixels; neither is larger than the mask's.

    Raises:
        ValueError: The size is larger, or the mask's counts do not add up to its own.
    """
    if size == mask.size:
        return mask
    return rle.from_runs(scaled_runs(rle.to_runs(mask), size))


def scaled_runs(runs: Runs, size: tuple[int, int]) -> Runs:
    """As ``scaled``; takes time for runs and columns, not for pixels.

    Raises:
        ValueError: The size is larger.
    """
    (height, width), (new_height, new_width) = runs.size, size
    if not (0 < new_height <= height and 0 < new_width <= width):
        msg = f"a mask of {runs.size} cannot be made smaller to {size}"
        raise ValueError(msg)
    column_of, row_of = _columns(width, new_width), _first_not_before(height, new_height)
    column, top, bottom = pieces(runs)
    # Each column of the mask is the source of one new column at most, or of none.
    new_column = column_of[column]
    taken = new_column >= 0
    base = new_column[taken] * new_height
    starts, ends = base + row_of[top[taken]], base + row_of[bottom[taken]]
    return joined(starts, ends, size)


@lru_cache(64)
def _sources(old: int, new: int) -> _Places:
    """The old pixel below the centre of each new one, along one side; rising strictly."""
    return (2 * np.arange(new, dtype=np.int64) + 1) * old // (2 * new)


@lru_cache(64)
def _columns(old: int, new: int) -> _Places:
    """For each old column the new one that it is the source of, or -1."""
    places = np.full(old, -1, dtype=np.int64)
    places[_sources(old, new)] = np.arange(new)
    return places


@lru_cache(64)
def _first_not_before(old: int, new: int) -> _Places:
    """For each edge between old rows, 0 to ``old``, the first new row whose source is below it."""
    return _sources(old, new).searchsorted(np.arange(old + 1)).astype(np.int64)


def pieces(runs: Runs) -> tuple[_Places, _Places, _Places]:
    """Runs cut at the columns' ends: the column of each piece, its first row, and that behind."""
    height = runs.size[0]
    first, top = np.divmod(runs.starts, height)
    last, bottom = np.divmod(runs.ends - 1, height)
    bottom += 1
    if (first == last).all():
        return first, top, bottom
    count = last - first + 1
    behind = np.cumsum(count)
    begin = behind - count
    column = np.repeat(first - begin, count) + np.arange(int(behind[-1]))
    tops, bottoms = np.zeros_like(column), np.full_like(column, height)
    tops[begin], bottoms[behind - 1] = top, bottom
    return column, tops, bottoms


def joined(starts: _Places, ends: _Places, size: tuple[int, int]) -> Runs:
    """Runs in rising order, of which some are empty, and some begin where the one before ends."""
    solid = ends > starts
    starts, ends = starts[solid], ends[solid]
    apart = starts[1:] > ends[:-1]
    first = np.concatenate(([True], apart))[: starts.size]
    last = np.concatenate((apart, [True]))[: ends.size]
    return Runs(size, starts[first], ends[last])
