"""The outline of a mask: rings along the edges of its pixels, exact to the pixel."""

from __future__ import annotations

from maskpool import rle
from maskpool.packed_mask import Rle

Point = tuple[int, int]


def rings(mask: Rle) -> list[list[Point]]:
    """Closed rings of corners; what an odd number of them encloses is the mask.

    They take memory for runs and corners, not for pixels.

    Args:
        mask: Any.

    Returns:
        Of each ring its corners, ``(x, y)`` in pixels from the upper left corner of the image; the
        last one leads back to the first one.

    Raises:
        ValueError: The mask's counts do not add up to its size.
    """
    upright = _upright(mask)
    # In each line of corners, an edge leads from every odd corner to the next one: what is left of
    # it is mask on one side alone. Each corner so ends one upright and one level edge.
    level: dict[Point, Point] = {}
    rows: dict[int, list[int]] = {}
    for x, y in upright:
        rows.setdefault(y, []).append(x)
    for y, row in rows.items():
        row.sort()
        for one, other in zip(row[::2], row[1::2], strict=True):
            level[one, y], level[other, y] = (other, y), (one, y)
    return _walked(upright, level)


def _upright(mask: Rle) -> dict[Point, Point]:
    """The other end of the upright edge at each corner."""
    height, width = mask.size
    columns: list[set[int]] = [set() for _ in range(width + 1)]
    runs = rle.to_runs(mask)
    for start, end in zip(runs.starts.tolist(), runs.ends.tolist(), strict=True):
        for column in range(start // height, (end - 1) // height + 1):
            ends = {max(start - column * height, 0), min(end - column * height, height)}
            # Each end of a run is an end of the edges at both sides of its column.
            columns[column] ^= ends
            columns[column + 1] ^= ends
    other: dict[Point, Point] = {}
    for x, found in enumerate(columns):
        places = sorted(found)
        for top, bottom in zip(places[::2], places[1::2], strict=True):
            other[x, top], other[x, bottom] = (x, bottom), (x, top)
    return other


def _walked(upright: dict[Point, Point], level: dict[Point, Point]) -> list[list[Point]]:
    """Go round each ring, upright and level in turns."""
    found = []
    left = dict.fromkeys(upright)
    while left:
        corner = start = next(iter(left))
        ring: list[Point] = []
        while not ring or corner != start:
            end = upright[corner]
            ring += (corner, end)
            left.pop(corner)
            left.pop(end)
            corner = level[end]
        found.append(ring)
    return found
