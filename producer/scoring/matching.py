"""Matching predictions with ground truth: one to one, by the largest sum of IoUs.

It works on runs; no mask is ever decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from maskpool import rle
from producer.formats.coco.read import CocoMask
from producer.scoring.boundary import boundary_iou

#: Float64, (predictions, ground truth) or (matches,).
Ious = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """How the predictions of one category in one image match its ground truth.

    Attributes:
        predicted: How many predictions count.
        present: How many masks of the ground truth count.
        matched: IoUs of the matches at the asked IoU, float64 (matches,).
        boundaries: Boundary IoUs of the same matches, float64 (matches,).
        free_matched: IoUs of the matches where any IoU will do, as pmF1 wants them; float64.
        hidden: There is crowd here: absence of ground truth says nothing.
    """

    predicted: int
    present: int
    matched: Ious
    boundaries: Ious
    free_matched: Ious
    hidden: bool


def match_pair(
    predictions: Sequence[CocoMask],
    truths: Sequence[CocoMask],
    threshold: float,
    min_iou: float,
) -> Pair:
    """Match the predictions of one category in one image with its ground truth.

    Args:
        predictions: All of them, of any score.
        truths: Ground truth, crowds included.
        threshold: Lowest score of predictions that count; those of objects always do.
        min_iou: Lowest IoU of a match; and share of a prediction inside a crowd from which on it
            does not count.
    """
    counting = [one for one in predictions if one.of_object or one.score >= threshold]
    solid = [mask for mask in truths if not mask.crowd]
    crowds = [mask for mask in truths if mask.crowd]
    ious = _ious(counting, solid)
    matched = _matches(np.where(ious >= min_iou, ious, 0.0))
    used = {row for row, _ in matched}
    excused = [
        row
        for row, mask in enumerate(counting)
        if row not in used and any(_inside(mask, crowd) >= min_iou for crowd in crowds)
    ]
    kept = np.delete(ious, excused, axis=0)
    return Pair(
        predicted=len(counting) - len(excused),
        present=len(solid),
        matched=np.array([ious[place] for place in matched]),
        boundaries=np.array([boundary_iou(counting[i].runs, solid[j].runs) for i, j in matched]),
        free_matched=np.array([kept[place] for place in _matches(kept)]),
        hidden=bool(crowds),
    )


def _ious(rows: Sequence[CocoMask], columns: Sequence[CocoMask]) -> Ious:
    ious = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if _meet(row.box_xyxy, column.box_xyxy):
                ious[i, j] = rle.iou(row.runs, column.runs)
    return ious


def _meet(a_xyxy: tuple[int, int, int, int], b_xyxy: tuple[int, int, int, int]) -> bool:
    return (
        a_xyxy[0] < b_xyxy[2]
        and b_xyxy[0] < a_xyxy[2]
        and a_xyxy[1] < b_xyxy[3]
        and b_xyxy[1] < a_xyxy[3]
    )


def _inside(mask: CocoMask, crowd: CocoMask) -> float:
    return rle.intersection(mask.runs, crowd.runs) / mask.runs.area if mask.runs.area else 0.0


def _matches(ious: Ious) -> list[tuple[int, int]]:
    """The one-to-one matching with the largest sum; places without any IoU match nothing."""
    rows, columns = linear_sum_assignment(ious, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if ious[i, j] > 0]
