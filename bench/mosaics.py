"""Masks of a mosaic beside the truth of every object in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maskpool.rle import Runs, box_xyxy, iou
from maskpool.tiling.plan import Tile
from training.mosaics import Truth


@dataclass(frozen=True)
class Score:
    """How found masks compare with the truth, one to one at IoU 0.5."""

    right: int
    found: int
    truths: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(1, self.found + self.truths)

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        """Share of the truth that was found."""
        return self.right / max(1, self.truths)

    def __str__(self) -> str:
        return (
            f"F1 {self.f1:.3f}, precision {self.precision:.3f}, recall {self.recall:.3f} "
            f"({self.right:,} right of {self.found:,} found, {self.truths:,} true)"
        )


def score(found: Sequence[tuple[int, float, Runs]], truths: Sequence[Truth]) -> Score:
    """Match what was found with the truth.

    Args:
        found: Prompt, score and mask of each; best first, each truth is matched once.
        truths: All objects.
    """
    right = 0
    free = list(truths)
    boxes = {id(one): _box(one.runs) for one in truths}
    for prompt, _, runs in sorted(found, key=lambda one: -one[1]):
        box = _box(runs)
        best = max(
            ((iou(runs, one.runs), one) for one in _near(free, prompt, box, boxes)),
            key=lambda pair: pair[0],
            default=None,
        )
        if best is not None and best[0] >= 0.5:
            right += 1
            free = [one for one in free if one is not best[1]]
    return Score(right, len(found), len(truths))


def _near(free: Sequence[Truth], prompt: int, box: Tile, boxes: dict[int, Tile]) -> Iterator[Truth]:
    for one in free:
        if one.prompt == prompt and boxes[id(one)].shared(box) is not None:
            yield one


def _box(runs: Runs) -> Tile:
    return Tile(*box_xyxy(runs))
