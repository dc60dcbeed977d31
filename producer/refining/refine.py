"""One mask made finer, and what of it was taken."""

from __future__ import annotations

from dataclasses import dataclass

from maskpool import rle
from maskpool.packed_mask import Rle
from producer.refining.fineness import Fineness
from producer.refining.regions import cleaned
from producer.refining.smooth import smoothed

#: A step is not taken if the IoU of what it makes with what it is made of is less.
LEAST_IOU = 0.9


@dataclass(frozen=True, slots=True)
class Refined:
    """A mask as it was made finer.

    Attributes:
        mask: Of the whole image.
        area: Its pixels.
        box: Tight, xyxy in pixels, right and bottom exclusive; all zero where it is empty.
        taken: The finest level that was taken; below what was asked where a step changed too much.
    """

    mask: Rle
    area: int
    box: tuple[int, int, int, int]
    taken: Fineness


def refine(mask: Rle, fineness: Fineness, cell: tuple[float, float]) -> Refined:
    """Make one mask finer; a step that changes too much is left out.

    Args:
        mask: As it is stored.
        fineness: What is asked.
        cell: Height and width in pixels of a cell of the map that the model drew.

    Raises:
        ValueError: The mask is damaged.
    """
    raw = runs = rle.to_runs(mask)
    taken = Fineness.NONE
    if fineness.rank >= Fineness.LOW.rank:
        clean = cleaned(raw)
        if _close(clean, raw):
            runs, taken = clean, Fineness.LOW
    if fineness.rank >= Fineness.MEDIUM.rank and taken is Fineness.LOW:
        soft = smoothed(clean, (cell[0] / 2, cell[1] / 2))
        if _close(soft, clean):
            runs, taken = soft, Fineness.MEDIUM
    same = runs is raw
    return Refined(mask if same else rle.from_runs(runs), runs.area, rle.box_xyxy(runs), taken)


def _close(new: rle.Runs, old: rle.Runs) -> bool:
    return new is old or rle.iou(new, old) >= LEAST_IOU
