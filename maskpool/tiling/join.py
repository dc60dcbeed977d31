"""Masks of one prompt from the tiles and the whole view of an image, made one list again.

Tiles overlap, so an object may be seen twice, or in parts. For two masks of different tiles only
the strip counts that both tiles show: there, one object looks alike in both, however large it is.

* Both reach a seam, each cut off where the other goes on: one object in parts. They become their
  union where what they share in the strip is more than half of the smaller one's area in it.
* One is cut and the other is not: the whole one stays, if it explains more than half of the other.
* Neither is cut: the better one stays where the two are one object by their IoU.
* From the whole view come only objects larger than half a tile, and only those that the tiles do
  not have. Parts that lie in such an object go.

Masks of one tile are never compared with each other: they are to the reading rule what they are in
an image that is looked at as a whole. A score is that of all views that show the object.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskpool import rle
from maskpool.rle import Runs
from maskpool.tiling.groups import Groups, Joined
from maskpool.tiling.parts import Part, Seen
from maskpool.tiling.plan import Plan

__all__ = ["Joined", "Seen", "join"]


def join(seen: Sequence[Seen], plan: Plan) -> list[Joined]:
    """Make one list of the masks of one prompt.

    Args:
        seen: In any order; none is empty.
        plan: How the image was cut.

    Returns:
        By falling score; of equal scores in the order of ``seen``.
    """
    best_first = sorted(seen, key=lambda one: -one.score)
    groups = Groups(plan)
    for one in best_first:
        if one.tile is not None:
            groups.add(Part(one.score, one.runs, one.tile, plan))
    for one in best_first:
        if one.tile is None and _side(one.runs) > plan.side / 2:
            groups.add_large(one)
    return sorted(groups.joined(), key=lambda one: -one.score)


def _side(runs: Runs) -> int:
    """The longer side of a mask's box, pixels."""
    left, top, right, bottom = rle.box_xyxy(runs)
    return max(right - left, bottom - top)
