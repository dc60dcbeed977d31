"""One mask made finer, and what of it was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maskpool import rle
from maskpool.fineness import Fineness
from maskpool.packed_mask import Rle
from maskpool.ports import Image
from producer.refining.guided import guided
from producer.refining.regions import cleaned
from producer.refining.smooth import smoothed

#: A step is not taken if its mask's IoU with that of ``low`` – of ``low``: with the stored one – is
#: less.
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


def refine(
    mask: Rle, fineness: Fineness, cell: tuple[float, float], picture: Image | None = None
) -> Refined:
    """Make one mask finer, step by step, up to the first step that changes too much.

    Args:
        mask: As it is stored.
        fineness: What is asked.
        cell: Height and width in pixels of a cell of the map that the model drew.
        picture: The mask's image, RGB uint8 (height, width, 3), upright; without it ``high`` is
            ``medium``.

    Raises:
        ValueError: The mask is damaged, or the picture is not of its size.
    """
    if picture is not None and picture.shape[:2] != mask.size:
        msg = f"a picture of {picture.shape[:2]} is not that of a mask of {mask.size}"
        raise ValueError(msg)
    runs = rle.to_runs(mask)
    found, clean = runs, runs
    taken = Fineness.NONE
    for level, made in _steps(runs, fineness, cell, picture):
        # Each step against what low left, and low against what is stored.
        if not _close(made, clean):
            break
        found, taken = made, level
        clean = made if level is Fineness.LOW else clean
    same = found is runs
    return Refined(mask if same else rle.from_runs(found), found.area, rle.box_xyxy(found), taken)


def _steps(
    runs: rle.Runs, fineness: Fineness, cell: tuple[float, float], picture: Image | None
) -> Iterator[tuple[Fineness, rle.Runs]]:
    """What each level makes of the one before, made when it is asked for."""
    if fineness.rank >= Fineness.LOW.rank:
        runs = cleaned(runs)
        yield Fineness.LOW, runs
    if fineness.rank >= Fineness.MEDIUM.rank:
        runs = smoothed(runs, (cell[0] / 2, cell[1] / 2))
        yield Fineness.MEDIUM, runs
    if fineness is Fineness.HIGH and picture is not None:
        yield Fineness.HIGH, guided(runs, picture, cell)


def _close(new: rle.Runs, old: rle.Runs) -> bool:
    return new is old or not (new.area or old.area) or rle.iou(new, old) >= LEAST_IOU
