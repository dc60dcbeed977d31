"""How large the cells of the maps are on which masks were drawn."""

from __future__ import annotations

from maskpool.errors import SpecError
from maskpool.model_aliases import MAP_CELLS
from maskpool.settings import Settings
from producer.results.records import Drawn


def cell_of(drawn: Drawn, size: tuple[int, int], settings: Settings) -> tuple[float, float]:
    """Height and width in pixels of a cell of the map that a model drew masks of an image on.

    Maps are square, whatever the image's shape. Where the image was looked at in tiles, a tile's
    counts: most of its masks are from there. A model whose alias is not known here any more is
    taken to draw maps as SAM3 does.

    Args:
        drawn: On which maps.
        size: ``(height, width)`` of the image, pixels.
        settings: Of the pool.
    """
    try:
        cells = settings.alias(drawn.model).cells
    except SpecError:
        cells = MAP_CELLS
    height, width = size
    if drawn.tiled is not None and drawn.tiled.count:
        height, width = min(height, drawn.tiled.side), min(width, drawn.tiled.side)
    return height / cells, width / cells
