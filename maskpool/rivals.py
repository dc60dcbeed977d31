"""Which masks of one image cover the same pixels: boxes first, then runs, and nothing decoded.

An image has up to a thousand masks to compare, so pairs are looked at together. For every pair of
masks, areas and boxes alone say how many pixels the two can have in common at most. Only pairs that
could still matter have their runs compared, those that promise most first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from maskpool import rle
from maskpool.rle import Counts, Runs

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

#: Rivals of one mask whose runs are compared at once. More would often be compared for nothing.
_BLOCK = 32


@dataclass(frozen=True, eq=False)
class Crowd:
    """Masks of one image.

    Attributes:
        masks: Their runs, all of one size.
    """

    masks: Sequence[Runs]

    @cached_property
    def areas(self) -> Counts:
        """Pixels of each, int64 (n,)."""
        return np.array([runs.area for runs in self.masks], dtype=np.int64)

    @cached_property
    def boxes_xyxy(self) -> Counts:
        """Tight boxes, int64 (n, 4), right and bottom exclusive; all zero for an empty mask."""
        boxes = np.zeros((len(self.masks), 4), dtype=np.int64)
        solid = np.flatnonzero(self.areas)
        if not solid.size:
            return boxes
        masks = [self.masks[index] for index in solid.tolist()]
        height = masks[0].size[0]
        first = np.cumsum([0, *(runs.starts.size for runs in masks[:-1])])
        left, top = np.divmod(np.concatenate([runs.starts for runs in masks]), height)
        right, bottom = np.divmod(np.concatenate([runs.ends for runs in masks]) - 1, height)
        wraps = right > left  # the run covers one column's end and the next one's start
        boxes[solid] = np.stack(
            (
                np.minimum.reduceat(left, first),
                np.minimum.reduceat(np.where(wraps, 0, top), first),
                np.maximum.reduceat(right, first) + 1,
                np.maximum.reduceat(np.where(wraps, height, bottom + 1), first),
            ),
            axis=1,
        )
        return boxes

    def most_common(self, ones: Counts, others: Counts) -> Counts:
        """Upper bounds of the common pixels by areas and boxes, int64 (ones, others)."""
        width, height = (self._shared(ones, others, axis) for axis in (0, 1))
        smaller = np.minimum(self.areas[ones, None], self.areas[None, others])
        most: Counts = np.minimum(smaller, width * height)
        return most

    def _shared(self, ones: Counts, others: Counts, axis: int) -> Counts:
        """Pixels that the boxes of pairs share along an axis, int64 (ones, others)."""
        first, end = self.boxes_xyxy[:, axis], self.boxes_xyxy[:, axis + 2]
        shared = np.minimum.outer(end[ones], end[others])
        shared -= np.maximum.outer(first[ones], first[others])
        return np.maximum(shared, 0, out=shared)

    def common(self, one: int, others: Counts) -> Counts:
        """Pixels that one mask has in common with each of some others, int64 (others,).

        None of them is empty.
        """
        rivals = [self.masks[index] for index in others.tolist()]
        first = np.cumsum([0, *[runs.starts.size for runs in rivals]])
        bounds = [runs.ends for runs in rivals] + [runs.starts for runs in rivals]
        covered = rle.covered(self.masks[one], np.concatenate(bounds))
        return np.add.reduceat(covered[: first[-1]] - covered[first[-1] :], first[:-1])


def iou(common: Counts, area: Counts, other: Counts) -> Floats:
    """Intersection over union by pixels in common and both areas; 0 where both are empty."""
    ious: Floats = common / np.maximum(area + other - common, 1)
    return ious


def strongest(
    crowd: Crowd,
    ones: Counts,
    others: Counts,
    allowed: Flags,
    *,
    weights: Floats | None = None,
    least: float = 0.0,
) -> Iterator[tuple[int, int, float]]:
    """For each of some masks the rival with the largest IoU; those without one are left out.

    Args:
        crowd: All masks of the image.
        ones: Whose rivals are looked for, int64 (n,).
        others: Possible rivals, int64 (m,). Of equal figures the rival that stands first is taken.
        allowed: Which of them are rivals of which, bool (n, m).
        weights: Factor of the IoU with each rival, float64 (m,); 1 where None.
        least: Figures, IoU × weight, below it do not count, and neither does 0.

    Yields:
        Mask, rival and figure; the first two as in ``ones`` and ``others``.
    """
    most = crowd.most_common(ones, others)
    areas, rival_areas = crowd.areas[ones], crowd.areas[others]
    bounds = iou(most, areas[:, None], rival_areas[None])
    bounds = bounds if weights is None else bounds * weights
    possible = allowed & (bounds >= least) & (bounds > 0)
    for row in np.flatnonzero(possible.any(axis=1)).tolist():
        places = np.flatnonzero(possible[row])
        places = places[np.argsort(-bounds[row, places], kind="stable")]

        def figures(some: Counts, row: int = row) -> Floats:
            common = crowd.common(int(ones[row]), others[some])
            values = iou(common, areas[row], rival_areas[some])
            return values if weights is None else values * weights[some]

        value, place = _best(places, bounds[row], figures)
        if value >= least and value > 0:
            yield int(ones[row]), int(others[place]), value


def _best(places: Counts, bounds: Floats, figures: Callable[[Counts], Floats]) -> tuple[float, int]:
    """The largest figure and the first place that has it; ``places`` by falling bound."""
    best, where = -1.0, -1
    for start in range(0, places.size, _BLOCK):
        some = places[start : start + _BLOCK]
        if bounds[some[0]] < best:
            break
        values = figures(some)
        value = float(values.max())
        place = int(some[values == value].min())
        if value > best or (value == best and place < where):
            best, where = value, place
    return best, where
