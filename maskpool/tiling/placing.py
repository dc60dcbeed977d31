"""Masks of a part of an image as masks of the whole, from runs to runs."""

from __future__ import annotations

import numpy as np

from maskpool import rle
from maskpool.rle import Runs
from maskpool.rle_scaling import joined, pieces
from maskpool.tiling.plan import Tile


def placed(runs: Runs, tile: Tile, size: tuple[int, int]) -> Runs:
    """A tile's mask as one of the image; takes time for runs and columns, not for pixels.

    Args:
        runs: Of the tile, of its size.
        tile: Where it lies.
        size: ``(height, width)`` of the image, pixels.

    Raises:
        ValueError: The mask is not of the tile's size, or the tile leaves the image.
    """
    height, width = size
    inside = tile.left >= 0 and tile.top >= 0 and tile.right <= width and tile.bottom <= height
    if runs.size != (tile.height, tile.width) or not inside:
        msg = f"a mask of {runs.size} cannot be placed at {tile} in an image of {size}"
        raise ValueError(msg)
    column, top, bottom = pieces(runs)
    base = (column + tile.left) * height + tile.top
    return joined(base + top, base + bottom, size)


def pixels_in(runs: Runs, tile: Tile) -> int:
    """Pixels of an image's mask that lie in a tile."""
    return rle.intersection(runs, rectangle(tile, runs.size))


def rectangle(tile: Tile, size: tuple[int, int]) -> Runs:
    """All pixels of a tile, as a mask of the image of ``size``."""
    columns = np.arange(tile.left, tile.right, dtype=np.int64) * size[0]
    return joined(columns + tile.top, columns + tile.bottom, size)
