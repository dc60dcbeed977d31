"""A mask's outline smoothed by a Gaussian, on cells of a few pixels: from runs to runs.

The mask's share of each cell comes from where its runs begin and end; the cells are blurred, and
where the blurred map, enlarged bilinearly, crosses one half is computed along each column of
pixels. So the work grows with the cells, which are as large as the Gaussian allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from maskpool import rle
from maskpool.rle import Runs
from maskpool.rle_scaling import joined, pieces

Map = npt.NDArray[np.float32]

#: A cell's side is at most so many sigmas: what a Gaussian leaves is well drawn in such cells.
_SIGMAS_A_CELL = 1 / 0.9

#: Reach of a Gaussian, in sigmas.
_REACH = 3.0

#: Cells around the mask's box in which it may grow.
_MARGIN = 1

#: Below it, in pixels, smoothing would move no outline by a pixel.
_LEAST_SIGMA = 0.3


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of one side of an image, and those that a mask's box takes.

    Attributes:
        side: Pixels of the image.
        cell: Pixels of a cell.
        first: The first cell that is drawn; negative beyond the image's edge.
        behind: The cell behind the last one that is drawn.
        kernel: Half of the Gaussian over cells: the middle first, float64 (reach + 1,).
    """

    side: int
    cell: int
    first: int
    behind: int
    kernel: npt.NDArray[np.float64]

    @classmethod
    def of(cls, side: int, sigma: float, begin: int, end: int) -> Grid:
        """Cells for a mask from pixel ``begin`` up to ``end``, and a Gaussian in pixels."""
        cell = max(1, int(sigma * _SIGMAS_A_CELL))
        # What averaging over a cell and enlarging bilinearly spread already is taken off.
        spread = (cell * cell - 1) / 4
        left = max(sigma * sigma - spread, 1e-4) ** 0.5 / cell
        reach = int(np.ceil(_REACH * left))
        kernel = np.exp(-0.5 * (np.arange(reach + 1) / left) ** 2)
        kernel /= 2 * kernel.sum() - kernel[0]
        return cls(side, cell, begin // cell - _MARGIN, -(-end // cell) + _MARGIN, kernel)

    @property
    def reach(self) -> int:
        """Cells on each side that the Gaussian looks at."""
        return self.kernel.size - 1

    @property
    def inner(self) -> tuple[int, int]:
        """First cell, and that behind the last one, that are looked at and lie in the image."""
        cells = -(-self.side // self.cell)
        return max(0, self.first - self.reach), min(cells, self.behind + self.reach)

    @property
    def beyond(self) -> tuple[int, int]:
        """Cells beyond the image's two edges that are looked at; they repeat those at the edge."""
        first, behind = self.inner
        return first - self.first + self.reach, self.behind + self.reach - behind

    def pixels(self) -> npt.NDArray[np.int64]:
        """Pixels of each cell of ``inner``: the last one of the image may have fewer."""
        first, behind = self.inner
        edges = np.minimum(np.arange(first, behind + 1) * self.cell, self.side)
        return np.diff(edges)


def smoothed(runs: Runs, sigma: tuple[float, float]) -> Runs:
    """The pixels of which a Gaussian around them finds more than half in the mask.

    The image's edge is no edge of the mask: beyond it lies what lies at it.

    Args:
        runs: The mask.
        sigma: Down and across, pixels.
    """
    if runs.starts.size == 0 or max(sigma) < _LEAST_SIGMA:
        return runs
    left, top, right, bottom = rle.box_xyxy(runs)
    down = Grid.of(runs.size[0], sigma[0], top, bottom)
    across = Grid.of(runs.size[1], sigma[1], left, right)
    return crossed(_blurred(shares(runs, down, across), down, across), down, across)


def shares(runs: Runs, down: Grid, across: Grid) -> Map:
    """The mask's share of each cell of ``inner``, float32 (across, down)."""
    (left, right), (top, bottom) = across.inner, down.inner
    # One row more: a run may end at the edge of the last one.
    width, height = right - left, bottom - top + 1
    column, begin, end = pieces(runs)
    base = (column // across.cell - left) * height - top
    at = np.concatenate((begin, end))
    row, rest = np.divmod(at, down.cell)
    place = np.concatenate((base, base)) + row
    sign = np.repeat([1.0, -1.0], begin.size)
    # A run that begins in a cell covers the rest of it, and all of the following ones.
    steps = np.bincount(place, sign * (down.cell - rest), width * height)
    steps += np.bincount(place + 1, sign * rest, width * height + 1)[:-1]
    covered = steps.reshape(width, height).astype(np.float32)[:, :-1].cumsum(axis=1)
    pixels = np.outer(across.pixels(), down.pixels()).astype(np.float32)
    return np.asarray(covered / pixels, dtype=np.float32)


def _blurred(cells: Map, down: Grid, across: Grid) -> Map:
    """The cells that are drawn, float32 (across, down)."""
    cells = np.pad(cells, (across.beyond, down.beyond), mode="edge")
    return _convolved(_convolved(cells.T, down.kernel).T, across.kernel)


def _convolved(cells: Map, kernel: npt.NDArray[np.float64]) -> Map:
    """Convolved along the first side, where only what the whole kernel covers stays."""
    reach = kernel.size - 1
    size = cells.shape[0] - 2 * reach
    total = cells[reach : reach + size] * np.float32(kernel[0])
    for step in range(1, reach + 1):
        pair = cells[reach - step : reach - step + size] + cells[reach + step :][:size]
        pair *= np.float32(kernel[step])
        total += pair
    return np.asarray(total, dtype=np.float32)


def crossed(cells: Map, down: Grid, across: Grid) -> Runs:
    """Where cells, enlarged bilinearly to pixels, are above one half.

    Args:
        cells: Values at the cells' middles, float32 (across, down).
        down: How they lie.
        across: Likewise.
    """
    first, columns = _columns(cells, across)
    inside = np.zeros((columns.shape[0], columns.shape[1] + 2), dtype=np.bool_)
    np.greater(columns, 0.5, out=inside[:, 1:-1])
    # Column and row of each value that differs from the one before.
    differs = inside[:, 1:] != inside[:, :-1]
    x, k = np.divmod(np.flatnonzero(differs), differs.shape[1])
    last = columns.shape[1] - 1
    before = columns[x, np.maximum(k - 1, 0)].astype(np.float64)
    after = columns[x, np.minimum(k, last)].astype(np.float64)
    # Beyond the ends, where a run is cut at the image's edge, there is nothing to interpolate.
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.nan_to_num((0.5 - before) / (after - before), posinf=0.0, neginf=0.0)
    middle = (down.first + k - 1 + 0.5) * down.cell - 0.5
    at = np.floor(middle + down.cell * part).astype(np.int64) + 1
    np.clip(at, 0, down.side, out=at)
    flat = (x + first) * down.side + at
    return joined(flat[0::2], flat[1::2], (down.side, across.side))


def _columns(cells: Map, across: Grid) -> tuple[int, Map]:
    """The first column of pixels that is drawn, and all of them, float32 (columns, down)."""
    begin, end = max(0, across.first * across.cell), min(across.side, across.behind * across.cell)
    if across.cell == 1:
        return begin, cells[begin - across.first : end - across.first]
    middle = (np.arange(begin, end) + 0.5) / across.cell - 0.5 - across.first
    np.clip(middle, 0, cells.shape[0] - 1, out=middle)
    low = np.minimum(middle.astype(np.int64), cells.shape[0] - 2)
    part = (middle - low).astype(np.float32)[:, None]
    columns = cells[1:] - cells[:-1]
    drawn = columns[low]
    drawn *= part
    drawn += cells[low]
    return begin, drawn
