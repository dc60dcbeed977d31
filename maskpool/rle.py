"""COCO run-length encoding: masks ⇄ compressed counts, and arithmetic without decoding.

Format: pixels are walked column by column (Fortran order); counts alternate background, foreground,
starting with background; the string holds five bits a character, from ``0x30`` on, low bits first,
with bit 5 as continuation and bit 4 of the last group as sign; from the fourth count on the
difference to the count two places before is written. Source of the format: ``maskApi.c``
(``rleToString``) of the COCO API. Property-tested against pycocotools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maskpool.packed_mask import Rle

__all__ = [
    "Counts",
    "Mask",
    "Rle",
    "Runs",
    "area",
    "box_xyxy",
    "covered",
    "decode",
    "empty",
    "encode",
    "from_runs",
    "intersection",
    "iou",
    "runs_of_counts",
    "to_runs",
    "union",
]

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

#: A count is below 2^32, so its difference fits seven groups of five bits.
_MAX_GROUPS = 7


@dataclass(frozen=True, slots=True)
class Runs:
    """Foreground runs of a mask in column-major pixel positions, ``starts[i] < ends[i]``.

    Attributes:
        size: ``(height, width)`` of the whole image, pixels.
        starts: First position of each run, rising, int64 (n,).
        ends: Position behind each run, int64 (n,).
    """

    size: tuple[int, int]
    starts: Counts
    ends: Counts

    @property
    def area(self) -> int:
        """Foreground pixels."""
        return int((self.ends - self.starts).sum())


def encode(mask: Mask) -> Rle:
    """Encode a whole mask, bool (height, width)."""
    height, width = mask.shape
    flat = np.zeros(height * width + 2, dtype=np.int8)
    flat[1:-1] = mask.ravel(order="F")
    toggles = np.flatnonzero(np.diff(flat))
    return from_runs(Runs((height, width), toggles[0::2], toggles[1::2]))


def from_runs(runs: Runs) -> Rle:
    """Compress runs."""
    height, width = runs.size
    bounds = np.empty(2 * runs.starts.size + 2, dtype=np.int64)
    bounds[0], bounds[-1] = 0, height * width
    bounds[1:-1:2], bounds[2:-1:2] = runs.starts, runs.ends
    counts = np.diff(bounds)
    if counts.size > 1 and counts[-1] == 0:  # the last run reaches the last pixel
        counts = counts[:-1]
    return Rle(runs.size, _compress(counts))


def to_runs(rle: Rle) -> Runs:
    """Read the runs.

    Raises:
        ValueError: The counts are no COCO string, or do not add up to the size.
    """
    return runs_of_counts(_uncompress(rle.counts), rle.size)


def runs_of_counts(counts: Counts, size: tuple[int, int]) -> Runs:
    """The runs of plain counts, int64 (n,), background first.

    Args:
        counts: Each below 2^63; what they add up to may be larger.
        size: ``(height, width)`` of the whole image, pixels.

    Raises:
        ValueError: The counts do not add up to the size.
    """
    height, width = size
    total = height * width
    bounds = np.cumsum(counts)
    # One count above the total is wrong by itself; without any, the sum cannot wrap round.
    wrong = ((counts < 0) | (counts > total)).any()
    if wrong or (int(bounds[-1]) if bounds.size else 0) != total:
        msg = f"RLE counts do not add up to {height}×{width} pixels"
        raise ValueError(msg)
    ends = bounds[1::2]
    starts = bounds[0::2][: ends.size]
    solid = ends > starts
    return Runs(size, starts[solid], ends[solid])


def empty(size: tuple[int, int]) -> Rle:
    """A mask without a pixel.

    Args:
        size: ``(height, width)``, pixels.
    """
    none = np.zeros(0, dtype=np.int64)
    return from_runs(Runs(size, none, none))


def decode(rle: Rle) -> Mask:
    """The whole mask, bool (height, width).

    Raises:
        ValueError: As ``to_runs``.
    """
    height, width = rle.size
    runs = to_runs(rle)
    steps = np.zeros(height * width + 1, dtype=np.int8)
    steps[runs.starts] = 1
    steps[runs.ends] -= 1
    flat = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    return flat.reshape(width, height).T


def area(rle: Rle) -> int:
    """Foreground pixels, without decoding."""
    return to_runs(rle).area


def box_xyxy(runs: Runs) -> tuple[int, int, int, int]:
    """Tight box in pixels, right and bottom exclusive; all zero for an empty mask."""
    if runs.starts.size == 0:
        return (0, 0, 0, 0)
    height = runs.size[0]
    first_column, top = np.divmod(runs.starts, height)
    last_column, bottom = np.divmod(runs.ends - 1, height)
    wraps = last_column > first_column  # it covers one column's end and the next one's start
    y0 = 0 if wraps.any() else int(top.min())
    y1 = height if wraps.any() else int(bottom.max()) + 1
    return (int(first_column[0]), y0, int(last_column[-1]) + 1, y1)


def union(several: Sequence[Runs]) -> Runs:
    """The pixels of any of some masks of one image; there is at least one.

    It takes memory for runs, not for pixels.
    """
    if len(several) == 1:
        return several[0]
    starts = np.concatenate([runs.starts for runs in several])
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    reach = np.maximum.accumulate(np.concatenate([runs.ends for runs in several])[order])
    # A run begins wherever nothing before it reaches; it ends where the next one begins.
    first = np.flatnonzero(np.concatenate(([True], starts[1:] > reach[:-1]))[: starts.size])
    last = np.concatenate((first[1:], [starts.size])) - 1 if first.size else first
    return Runs(several[0].size, starts[first], reach[last])


def intersection(a: Runs, b: Runs) -> int:
    """Pixels in both masks."""
    if a.starts.size == 0 or b.starts.size == 0:
        return 0
    return int((covered(b, a.ends) - covered(b, a.starts)).sum())


def covered(runs: Runs, positions: Counts) -> Counts:
    """How many foreground pixels of a mask lie before each position.

    Args:
        runs: The mask.
        positions: Column-major pixel positions, int64 (n,).
    """
    index = runs.starts.searchsorted(positions, side="right")
    before = np.zeros(runs.starts.size + 1, dtype=np.int64)
    np.cumsum(runs.ends - runs.starts, out=before[1:])
    # The last run that starts before the position may reach past it.
    reach = np.concatenate(([0], runs.ends))
    pixels: Counts = before[index] - np.maximum(reach[index] - positions, 0)
    return pixels


def iou(a: Runs, b: Runs) -> float:
    """Intersection over union of two masks of one image; 0 where both are empty."""
    common = intersection(a, b)
    union = a.area + b.area - common
    return common / union if union else 0.0


def _compress(counts: Counts) -> str:
    values = counts.copy()
    values[3:] -= counts[1:-2]
    # Column g holds the g-th group of every value; a value ends at the first group after which
    # only copies of its sign bit would follow.
    shifts = 5 * np.arange(_MAX_GROUPS)
    groups = (values[:, None] >> shifts) & 0x1F
    rest = values[:, None] >> (shifts + 5)
    sign = (groups & 0x10) != 0
    last = np.where(sign, rest == -1, rest == 0)
    length = np.argmax(last, axis=1)
    place = np.arange(_MAX_GROUPS)
    more = place < length[:, None]
    characters = (groups | np.where(more, 0x20, 0)) + 0x30
    used = place <= length[:, None]
    return str(characters[used].astype(np.uint8).tobytes(), "ascii")


def _uncompress(text: str) -> Counts:
    try:
        characters = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64) - 0x30
    except UnicodeEncodeError:
        characters = np.array([-1], dtype=np.int64)
    if ((characters < 0) | (characters > 0x3F)).any():
        msg = "RLE counts hold a character that is not of COCO's alphabet"
        raise ValueError(msg)
    if characters.size == 0:
        return characters
    ends = np.flatnonzero((characters & 0x20) == 0)
    if ends.size == 0 or ends[-1] != characters.size - 1:
        msg = "RLE counts stop in the middle of a number"
        raise ValueError(msg)
    starts = np.concatenate(([0], ends[:-1] + 1))
    if (ends - starts >= _MAX_GROUPS).any():
        msg = "RLE counts hold a number of more than 35 bits"
        raise ValueError(msg)
    place = np.arange(characters.size) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((characters & 0x1F) << (5 * place), starts)
    negative = (characters[ends] & 0x10) != 0
    values -= np.where(negative, np.int64(1) << (5 * (ends - starts + 1)), 0)
    # Undo the differences: even and odd places are two running sums.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
