"""What we find is what ``Sam3Model`` and its published post-processing find, number by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from published_sam3 import Published, segment_one
from small_models import find, scene, small_sam3, word_tokenizer

from maskpool import rle
from maskpool.domain import SCORE_FLOOR, Found
from maskpool.settings import BUILT_IN_MODELS, DEMO_MODELS
from workers.models.load import load_segmenter
from workers.models.precision import cast_weights
from workers.models.sam3.segmenter import Sam3Segmenter

SCENES = Path(__file__).resolve().parents[5] / "samples" / "scenes"

needs_demo = pytest.mark.skipif(
    not (DEMO_MODELS / "sam3" / "model.safetensors").exists(), reason="no demo weights here"
)

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


pytestmark = pytest.mark.usefixtures("one_thread")


def bf16() -> AbstractContextManager[object]:
    """What a CUDA device does, on the CPU."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


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


def samples(*numbers: int) -> list[np.ndarray]:
    paths = [SCENES / f"scene_{number:02}.jpg" for number in numbers]
    return [np.array(PillowImage.open(path).convert("RGB")) for path in paths]


def test_random_wide_weights() -> None:
    images = [scene(200, 300, 1), scene(120, 60, 2), scene(96, 96, 3)]
    segmenter = Sam3Segmenter(small_sam3(), word_tokenizer(), pairs=4)

    counts = compare_all(segmenter, images, ["red circle", "blue", "a the green shape"], EXACT)

    assert min(counts) >= 5


@needs_demo
def test_the_demo_weights() -> None:
    segmenter = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cpu"))
    prompts = ["red circle", "blue square", "green triangle", "star"]

    assert sum(compare_all(segmenter, samples(1, 5, 9), prompts, EXACT)) >= 8


@needs_demo
def test_the_demo_weights_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.models.sam3.segmenter.precision", lambda _: bf16())
    segmenter = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cpu"))
    prompts = ["red circle", "blue square", "green triangle", "star"]

    assert sum(compare_all(segmenter, samples(1, 5, 9), prompts, BF16, bf16)) >= 8


def test_bf16_is_used_and_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    images, prompts = [scene(120, 160, 8)], ["red circle", "blue", "a the green shape"]
    (exact,) = find(Sam3Segmenter(small_sam3(), word_tokenizer()), images, prompts)
    monkeypatch.setattr("workers.models.sam3.segmenter.precision", lambda _: bf16())

    (found,) = find(Sam3Segmenter(small_sam3(), word_tokenizer()), images, prompts)

    for index in range(len(prompts)):
        pair = [
            sorted(one.score for one in side if one.prompt_index == index)
            for side in (exact, found)
        ]
        np.testing.assert_allclose(pair[0][-5:], pair[1][-5:], atol=0.03)
    # Equal scores would mean that nothing ran in bf16 at all.
    assert [one.score for one in found] != [one.score for one in exact]


def test_weights_held_for_products_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.models.sam3.segmenter.precision", lambda _: bf16())
    images, prompts = [scene(96, 96, 1), scene(120, 200, 2)], ["red circle", "blue"]
    segmenter = Sam3Segmenter(small_sam3(), word_tokenizer())
    cast_each_time, whole = find(segmenter, images, prompts), size_of(segmenter._model)

    cast_weights(segmenter._model, torch.bfloat16)

    assert find(segmenter, images, prompts) == cast_each_time
    assert all(cast_each_time)
    assert size_of(segmenter._model) < 0.6 * whole


def size_of(model: Any) -> int:
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())
