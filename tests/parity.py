"""Our instances and objects held against those of the published forward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from published_sam3 import Published, segment_one
from small_models import find
from torch.nn import functional

from maskpool import rle
from maskpool.domain import SCORE_FLOOR, Found
from maskpool.ports import ObjectAsk
from workers.models.sam3.segmenter import Sam3Segmenter

Precision = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Tolerance:
    """How far from the published path: of scores, of a mask's pixels, of a box's edges."""

    score: float
    pixels: float
    edge: float


EXACT = Tolerance(score=1e-3, pixels=1e-3, edge=0.0)
#: A box is tight, in whole pixels: one pixel of a mask that falls on the other side moves an edge.
BF16 = Tolerance(score=1e-2, pixels=1e-3, edge=1.0)


def tight_box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def compare(mine: Sequence[Found], published: Published, tolerance: Tolerance) -> int:
    """One prompt in one image; returns how many instances there were."""
    filled = published.masks.any(axis=(1, 2))
    scores, masks = published.scores[filled], published.masks[filled]
    np.testing.assert_allclose([one.score for one in mine], scores, atol=tolerance.score)
    for one in mine:
        # Scores that are equal to a rounding may change places; the mask says which is meant.
        rivals = masks[np.abs(scores - one.score) <= tolerance.score]
        mask = rle.decode(one.mask)
        differing = [(mask != rival).mean() for rival in rivals]
        assert min(differing) <= tolerance.pixels
        twin = rivals[int(np.argmin(differing))]
        assert np.abs(tight_box(twin) - one.box_xyxy).max() <= tolerance.edge
        assert one.box_xyxy == tuple(tight_box(mask))
    return len(mine)


def compare_all(
    segmenter: Sam3Segmenter,
    images: Sequence[np.ndarray],
    prompts: Sequence[str],
    tolerance: Tolerance,
    precision: Precision = nullcontext,
) -> list[int]:
    """All prompts of all images at once against one published pass each; instances by image."""
    model, tokenizer = segmenter._model, segmenter._tokens._tokenizer
    counts = []
    for image, found in zip(images, find(segmenter, images, prompts), strict=True):
        count = 0
        for index, prompt in enumerate(prompts):
            with precision():
                published = segment_one(model, tokenizer, image, prompt, SCORE_FLOOR)
            mine = [one for one in found if one.prompt_index == index]
            count += compare(mine, published, tolerance)
        counts.append(count)
    return counts


def scaled(place: Sequence[float], image: np.ndarray, side: int) -> list[float]:
    """From pixels of an image to those of the model's square, x and y in turn."""
    height, width = image.shape[:2]
    return [value * side / (height if n % 2 else width) for n, value in enumerate(place)]


@torch.inference_mode()
def published_object(
    segmenter: Sam3Segmenter, tracker: Any, image: np.ndarray, ask: ObjectAsk
) -> Any:
    """The whole published forward pass for one object, and nothing else."""
    side = segmenter._side
    pixels = segmenter._squares.stacked([segmenter.prepare(image)])
    asked: dict[str, Any] = {}
    if ask.points:
        points = [scaled(point[:2], image, side) for point in ask.points]
        asked["input_points"] = torch.tensor([[points]])
        asked["input_labels"] = torch.tensor([[[label for *_, label in ask.points]]])
    if ask.box_xyxy:
        asked["input_boxes"] = torch.tensor([[scaled(ask.box_xyxy, image, side)]])
    return tracker(pixel_values=pixels, **asked)


def compare_object(one: Found, ask: ObjectAsk, expected: Any, image: np.ndarray) -> None:
    """The best candidate, at the size of the image; ``expected`` is ``published_object``'s."""
    scores = expected.iou_scores[0, 0]
    logits = expected.pred_masks[:, :, scores.argmax()]
    whole = functional.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
    mask = rle.decode(one.mask)
    assert (mask != (whole[0, 0] > 0).numpy()).mean() <= 1e-4
    assert one.predicted_iou == pytest.approx(float(scores.max()), abs=1e-5)
    assert (one.object_index, one.prompt_index) == (ask.object_index, ask.prompt_index)
    assert one.score == ask.score
    assert one.box_xyxy == rle.box_xyxy(rle.to_runs(one.mask))
