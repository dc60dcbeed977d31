"""What a box shows of a mask, drawn from its runs without the rest of the image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maskpool.rle import Runs
from maskpool.rle_scaling import pieces


def crop(runs: Runs, box_xyxy: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    """The pixels of a box, bool (width, height): a column of the image is a row of it.

    Args:
        runs: The mask; all of it lies in the box.
        box_xyxy: Pixels, right and bottom exclusive.
    """
    left, top, right, bottom = box_xyxy
    width, height = right - left, bottom - top
    column, begin, behind = pieces(runs)
    base = (column - left) * height - top
    steps = np.zeros(width * height + 1, dtype=np.int8)
    steps[base + begin] = 1
    steps[base + behind] -= 1
    shown = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)
    return shown.reshape(width, height)
