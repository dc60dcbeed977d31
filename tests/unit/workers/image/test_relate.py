"""Which masks of an image repeat a better one."""

from __future__ import annotations

import numpy as np
import pytest

from maskpool import rle
from maskpool.domain import Found
from workers.image.relate import float32, relate


def found(prompt: int, score: float, left: int, right: int) -> Found:
    mask = np.zeros((4, 20), np.bool_)
    mask[:, left:right] = True
    return Found(prompt, score, (left, 0.0, right, 4.0), rle.encode(mask))


def test_overlap_is_the_iou_with_a_better_mask_of_the_same_prompt() -> None:
    best, half, other_prompt = found(0, 0.9, 0, 10), found(0, 0.5, 0, 5), found(1, 0.4, 0, 10)

    related = relate([best, half, other_prompt], {})

    assert [one.overlap for one in related] == [0.0, 0.5, 0.0]
    assert [one.area for one in related] == [40, 20, 40]
    assert [one.found for one in related] == [best, half, other_prompt]


def test_clip_scores_go_to_the_masks_they_belong_to() -> None:
    related = relate([found(0, 0.9, 0, 5), found(1, 0.8, 5, 9)], {1: 0.25})

    assert [one.clip_score for one in related] == [None, 0.25]


def test_figures_are_rounded_as_the_row_keeps_them() -> None:
    third = relate([found(0, 0.9, 0, 12), found(0, 0.5, 0, 4)], {})[1].overlap

    assert third == float(np.float32(1 / 3))
    assert float32(0.1) != pytest.approx(0.1, abs=1e-12)
