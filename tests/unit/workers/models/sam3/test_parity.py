"""What we find is what ``Sam3Model`` and its published post-processing find, number by number."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity import BF16, EXACT, compare_all
from PIL import Image as PillowImage
from small_models import find, scene, small_sam3, word_tokenizer

from maskpool.model_aliases import BUILT_IN_MODELS, DEMO_MODELS
from workers.models.load import load_segmenter
from workers.models.precision import cast_weights
from workers.models.sam3.segmenter import Sam3Segmenter

SCENES = Path(__file__).resolve().parents[5] / "samples" / "scenes"

needs_demo = pytest.mark.skipif(
    not (DEMO_MODELS / "sam3" / "model.safetensors").exists(), reason="no demo weights here"
)

pytestmark = pytest.mark.usefixtures("one_thread")


def bf16() -> AbstractContextManager[object]:
    """What a CUDA device does, on the CPU."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


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
