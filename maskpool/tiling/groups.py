"""The objects of one prompt while the masks of tiles are put together, best first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from maskpool import rle
from maskpool.domain import SCORE_FLOOR
from maskpool.rle import Runs
from maskpool.tiling.parts import Match, Part, Seen, shows_all
from maskpool.tiling.placing import pixels_in
from maskpool.tiling.plan import Plan, Tile

#: Share of pixels above which two masks mean one object.
_ONE_OBJECT = 0.5

#: A part of an object scores less than the rest, but not this much: below that share of the better
#: score it is dropped for the better one, and adds no pixel to it.
_LEAST_SHARE_OF_SCORE = 0.5

#: A tile that shows more than this share of a cut mask shows more of the object than the one that
#: cut it, and would have found it.
_SHOWN = 0.5

#: Objects of tiles within one of the whole view that together cover so much of it show that it is a
#: crowd and no object.
_CROWD = 0.5


@dataclass(frozen=True, slots=True)
class Joined:
    """A mask of the image.

    Attributes:
        score: In [0, 1].
        runs: Of the whole image.
    """

    score: float
    runs: Runs


@dataclass(eq=False)
class _Group:
    """Masks that are one object.

    Attributes:
        parts: Those whose union it is.
        whole: Whether a tile shows all of it.
        said: The best score of each tile that found it, by the tile's place.
        least: A score that it has at least, from the whole view.
    """

    parts: list[Part]
    whole: bool
    said: dict[int, float]
    least: float = 0.0
    _union: Runs | None = field(default=None, repr=False)

    @property
    def runs(self) -> Runs:
        if self._union is None:
            self._union = rle.union([part.runs for part in self.parts])
        return self._union

    @property
    def best(self) -> float:
        """Largest score of any view."""
        return max(self.least, *self.said.values())

    def found_by(self, part: Part) -> None:
        """Note that another tile found it as well."""
        self.said[part.place] = max(part.score, self.said.get(part.place, 0.0))

    def set_parts(self, parts: list[Part], *, whole: bool) -> None:
        self.parts, self.whole, self._union = parts, whole, None


class Groups:
    """The objects so far.

    Args:
        plan: How the image was cut.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._groups: list[_Group] = []
        self._large: list[Joined] = []
        self._by_tile: dict[int, list[_Group]] = defaultdict(list)
        self._neighbours: dict[int, list[int]] = {}

    def joined(self) -> Iterator[Joined]:
        """What came of all that was added."""
        for group in self._groups:
            score = self._score(group)
            if score >= SCORE_FLOOR:
                yield Joined(score, group.runs)
        yield from self._large

    def add(self, part: Part) -> None:
        """Add a tile's mask, as an object, as more of one, or not at all; best ones come first."""
        target: _Group | None = None
        for group, match in self._matches(part):
            group.found_by(part)
            if not part.cut and not group.whole:
                if match.iou > _ONE_OBJECT:
                    self._set_parts(group, [part], whole=True)
                    return
            elif part.cut and not group.whole and _goes_on(part, group):
                if target is None:
                    self._set_parts(group, [*group.parts, part], whole=False)
                    target = group
                else:
                    self._merge(target, group)
            elif target is None and (match.mine if part.cut else match.iou) > _ONE_OBJECT:
                return  # the better one stands for it
        if target is None:
            group = _Group([part], not part.cut, {part.place: part.score})
            self._groups.append(group)
            self._by_tile[part.place].append(group)

    def add_large(self, seen: Seen) -> None:
        """Add a large object of the whole view, unless the tiles have it, or it is a crowd."""
        area, box = seen.runs.area, Tile(*rle.box_xyxy(seen.runs))
        inside: list[tuple[_Group, int]] = []
        for group in self._groups:
            if not any(part.box.shared(box) for part in group.parts):
                continue
            common, size = rle.intersection(seen.runs, group.runs), group.runs.area
            if common / (area + size - common) > _ONE_OBJECT:
                group.least = max(group.least, seen.score)
                return
            if common / size > _ONE_OBJECT:
                inside.append((group, common))
        own = [common for group, common in inside if group.whole]
        if len(own) > 1 and sum(own) / area > _CROWD:
            return
        for group, _ in inside:
            if not group.whole and group.best <= seen.score:
                self._set_parts(group, [], whole=False)
                self._groups.remove(group)
        self._large.append(Joined(seen.score, seen.runs))

    def _matches(self, part: Part) -> Iterator[tuple[_Group, Match]]:
        """Objects that may be this one, of which none has a mask of its tile."""
        met: set[int] = set()
        for place in self._around(part.place):
            for group in tuple(self._by_tile[place]):
                if id(group) in met:
                    continue
                met.add(id(group))
                if any(one.place == part.place for one in group.parts):
                    continue
                found = [match for one in group.parts if (match := Match.of(part, one))]
                best = max(found, key=lambda match: match.smaller, default=None)
                if best is not None and best.smaller > _ONE_OBJECT:
                    yield group, best

    def _around(self, place: int) -> list[int]:
        """Tiles that share pixels with a tile."""
        if place not in self._neighbours:
            mine = self._plan.tiles[place]
            self._neighbours[place] = [
                other
                for other, tile in enumerate(self._plan.tiles)
                if other != place and mine.shared(tile) is not None
            ]
        return self._neighbours[place]

    def _set_parts(self, group: _Group, parts: list[Part], *, whole: bool) -> None:
        for place in {part.place for part in group.parts}:
            self._by_tile[place].remove(group)
        group.set_parts(parts, whole=whole)
        for place in {part.place for part in parts}:
            self._by_tile[place].append(group)

    def _merge(self, group: _Group, other: _Group) -> None:
        """Make one object of two that a third mask holds together."""
        parts = list(other.parts)
        for place, score in other.said.items():
            group.said[place] = max(score, group.said.get(place, 0.0))
        group.least = max(group.least, other.least)
        self._set_parts(other, [], whole=False)
        self._groups.remove(other)
        self._set_parts(group, [*group.parts, *parts], whole=False)

    def _score(self, group: _Group) -> float:
        """Halfway between the best view's score and the mean of all that show the object.

        A view that shows it and does not find it counts 0: with the best one alone, what any of
        several views takes for an object would count, and precision falls. Nothing is what was cut
        at a seam, and is not found by the tile that shows more of it.
        """
        asked = self._witnesses(group)
        if not group.whole and any(place not in group.said for place in asked):
            return group.least
        said = [group.said.get(place, 0.0) for place in asked or group.said]
        return max(group.least, (max(group.said.values()) + sum(said) / len(said)) / 2)

    def _witnesses(self, group: _Group) -> list[int]:
        """Tiles that show the object well enough to have found it."""
        own = {part.place for part in group.parts}
        near = own.union(*(self._around(place) for place in own))
        runs = group.runs
        if group.whole:
            box = Tile(*rle.box_xyxy(runs))
            return [one for one in near if shows_all(box, one, self._plan, runs.size)]
        least = _SHOWN * runs.area
        return [one for one in near if pixels_in(runs, self._plan.tiles[one]) > least]


def _goes_on(part: Part, group: _Group) -> bool:
    return part.score >= _LEAST_SHARE_OF_SCORE * group.best
