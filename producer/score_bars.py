"""The bars of a histogram out of arrays; ``db.histogram`` says the same from rows.

A clerk that makes a block of scores has read the instances already, and counts them at no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from maskpool.histogram import ANY, BARS, Bars
from maskpool.score_block import ScoreBlock


def bars(
    block: ScoreBlock, reached: npt.NDArray[np.bool_], same: Mapping[int, int]
) -> dict[int, Bars]:
    """Count the instances of a block by score: by prompt, ``ANY`` included.

    Args:
        block: Whose.
        reached: (m,) bool, of each instance: whether it counts once its score reaches a threshold.
        same: Categories that bear the name of an earlier one, and which that is.
    """
    image, hundredth = block.image[reached], _hundredths(block)[reached]
    prompt = block.prompt[reached].astype(np.int64)
    for index, first in same.items():
        prompt[prompt == index] = first
    found: dict[int, Bars] = {}
    for index in np.unique(prompt).tolist():
        own = prompt == index
        found[index] = _bars(image[own], hundredth[own], block.states.size)
    if found:
        found[ANY] = _bars(image, hundredth, block.states.size)
    return found


def _bars(image: npt.NDArray[np.uint16], hundredth: npt.NDArray[np.int64], images: int) -> Bars:
    best = np.full(images, -1, np.int64)
    np.maximum.at(best, image, hundredth)
    of_images = np.bincount(best[best >= 0], minlength=BARS)
    return Bars(of_images.tolist(), np.bincount(hundredth, minlength=BARS).tolist())


def _hundredths(block: ScoreBlock) -> npt.NDArray[np.int64]:
    """The highest threshold, in hundredths, that each instance reaches.

    Rounded to the nearest first: 0.29 × 100 is less than 29 in floating point, and yet 0.29 reaches
    29/100, as the reading rule compares them. The masks of objects count at any threshold.
    """
    score = block.score.astype(np.float64)
    nearest = np.rint(score * 100.0)
    below = score < nearest / 100.0
    own: npt.NDArray[Any] = np.where(block.is_object, BARS - 1, nearest - below)
    return own.astype(np.int64)
