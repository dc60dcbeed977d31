"""How an image is cut into tiles, and whether it is cut at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from maskpool.errors import ImageError
from maskpool.tiling.asked import DEFAULT_OVERLAP, Tiling
from maskpool.tiling.record import Tiled, Why

#: Side of a tile in pixels, unless a model's alias names another: that of SAM3's own input.
TILE_SIDE = 1_008

#: Most tiles of one image: more is a side that was written wrongly, and hours of a device.
MAX_TILES = 4_096

#: ``auto`` cuts an image whose longer side is more than so many tiles: below that the whole view
#: shows an object at half its size or better.
_LARGE = 2.0

#: Longest side of a tile over its shortest, where an image is narrower than a tile: a model
#: squashes tiles to squares, and knows things that are squashed so far.
_MAX_ASPECT = 2.0


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of an image, pixels; right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels."""
        return self.bottom - self.top

    def shared(self, other: Tile) -> Tile | None:
        """What two tiles both show; None where that is nothing."""
        both = Tile(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        return both if both.left < both.right and both.top < both.bottom else None


@dataclass(frozen=True, slots=True)
class Plan:
    """How an image is looked at beside as a whole.

    Attributes:
        side: Of a tile, pixels.
        overlap: Share of it that neighbours have in common, at least.
        tiles: Row by row; none where the image is only looked at as a whole.
        why: So.
    """

    side: int
    overlap: float
    tiles: tuple[Tile, ...]
    why: Why

    def record(self, left_out: int = 0) -> Tiled:
        """What it came to, as it is kept; ``left_out`` masks were too many."""
        return Tiled(self.why, self.side, self.overlap, len(self.tiles), left_out)


def decide(
    asked: Literal["auto"] | Tiling, size: tuple[int, int], usual_side: int, *, things: bool
) -> Plan:
    """Whether and how an image is cut.

    Args:
        asked: What the batch says.
        size: ``(height, width)`` of the image, pixels.
        usual_side: Of the model's alias, pixels.
        things: Whether any prompt asks for instances; regions are not looked for in tiles.

    Raises:
        ImageError: It would be cut into more than ``MAX_TILES``.
    """
    side, overlap = usual_side, DEFAULT_OVERLAP
    if isinstance(asked, Tiling):
        side, overlap = asked.size or usual_side, asked.overlap
    if not things:
        return Plan(side, overlap, (), Why.REGIONS)
    least = 1.0 if isinstance(asked, Tiling) else _LARGE
    if max(size) <= least * side:
        return Plan(side, overlap, (), Why.SMALL)
    why = Why.ASKED if isinstance(asked, Tiling) else Why.LARGE
    return Plan(side, overlap, cut(size, side, overlap), why)


def cut(size: tuple[int, int], side: int, overlap: float) -> tuple[Tile, ...]:
    """Overlapping tiles of one size that cover an image, spread evenly, row by row.

    Args:
        size: ``(height, width)`` of the image, pixels.
        side: Of a tile. One side is shorter where the image is, and then the other is at most twice
            as long.
        overlap: Share of a side that neighbours have in common, at least.

    Raises:
        ImageError: They would be more than ``MAX_TILES``.
    """
    height, width = size
    tall = min(side, height, math.ceil(_MAX_ASPECT * width))
    wide = min(side, width, math.ceil(_MAX_ASPECT * height))
    rows, columns = _count(height, tall, overlap), _count(width, wide, overlap)
    if rows * columns > MAX_TILES:
        raise ImageError(
            f"an image of {width} × {height} pixels would be cut into {rows * columns:,} tiles of "
            f"{side} pixels, and {MAX_TILES:,} are allowed; ask for larger tiles"
        )
    return tuple(
        Tile(left, top, left + wide, top + tall)
        for top in _starts(height, tall, rows)
        for left in _starts(width, wide, columns)
    )


def _count(length: int, side: int, overlap: float) -> int:
    step = max(1.0, side * (1 - overlap))
    return 1 + math.ceil((length - side) / step)


def _starts(length: int, side: int, count: int) -> list[int]:
    return [(length - side) * place // max(1, count - 1) for place in range(count)]
