"""A mask as one tile shows it, and how it lies to another tile's."""

from __future__ import annotations

from dataclasses import dataclass

from maskpool import rle
from maskpool.rle import Runs
from maskpool.tiling.placing import pixels_in
from maskpool.tiling.plan import Plan, Tile

#: A mask that ends within this share of a tile's side of a seam counts as cut off there: masks are
#: drawn on a grid of 64 (demo) or 288 (published) cells a side.
_SEAM = 1 / 50


@dataclass(frozen=True, slots=True)
class Seen:
    """A mask as one view shows it.

    Attributes:
        score: In [0, 1].
        runs: Of the whole image.
        tile: The view's place among the plan's tiles; None: the whole view.
    """

    score: float
    runs: Runs
    tile: int | None


class Part:
    """A tile's mask.

    Attributes:
        score: In [0, 1].
        runs: Of the whole image.
        place: Of its tile, in the plan.
        box: Tight.
        cut: Whether it reaches a seam, beyond which its tile shows nothing.
    """

    def __init__(self, score: float, runs: Runs, place: int, plan: Plan) -> None:
        self.score = score
        self.runs = runs
        self.place = place
        self.box = Tile(*rle.box_xyxy(runs))
        self._plan = plan
        self._area = runs.area
        self._in_strip: dict[int, int] = {}
        self.cut = not shows_all(self.box, place, plan, runs.size)

    def pixels_seen_by(self, other: Part) -> int:
        """Its pixels in what the other's tile shows, too."""
        strip = self._plan.tiles[self.place].shared(self._plan.tiles[other.place])
        if strip is None:
            return 0
        if self.box.shared(strip) == self.box:
            return self._area
        if other.place not in self._in_strip:
            self._in_strip[other.place] = pixels_in(self.runs, strip)
        return self._in_strip[other.place]


def shows_all(box: Tile, place: int, plan: Plan, size: tuple[int, int]) -> bool:
    """Whether a tile shows an object and what is around it: the object reaches none of its seams.

    Args:
        box: Of the object.
        place: Of the tile, in the plan.
        plan: How the image was cut.
        size: ``(height, width)`` of the image, pixels; its own edges are no seams.
    """
    tile = plan.tiles[place]
    height, width = size
    near = max(2, round(plan.side * _SEAM))
    return (
        box.left >= tile.left + (near if tile.left else 0)
        and box.top >= tile.top + (near if tile.top else 0)
        and box.right <= tile.right - (near if tile.right < width else 0)
        and box.bottom <= tile.bottom - (near if tile.bottom < height else 0)
    )


@dataclass(frozen=True, slots=True)
class Match:
    """How a mask and one of another tile lie in the strip that both tiles show.

    There an object looks alike in both, however large it is.

    Attributes:
        smaller: Their common pixels over the smaller one's there.
        mine: The same over those of the mask.
        iou: The same over those of either.
    """

    smaller: float
    mine: float
    iou: float

    @classmethod
    def of(cls, part: Part, other: Part) -> Match | None:
        """None where they have nothing in common."""
        if part.place == other.place or part.box.shared(other.box) is None:
            return None
        common = rle.intersection(part.runs, other.runs)
        if not common:
            return None
        mine, others = part.pixels_seen_by(other), other.pixels_seen_by(part)
        return cls(common / min(mine, others), common / mine, common / (mine + others - common))
