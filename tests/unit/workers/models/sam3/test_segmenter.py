from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from small_models import find, scene, small_sam3, word_tokenizer

from maskpool.domain import SCORE_FLOOR
from maskpool.errors import SpecError
from maskpool.ports import Request
from workers.models.sam3.segmenter import Sam3Segmenter

PROMPTS = ["red circle", "blue", "a the green shape"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> Any:
    return small_sam3()


@pytest.fixture
def segmenter(model: Any) -> Sam3Segmenter:
    return Sam3Segmenter(model, word_tokenizer(), pairs=4)


def test_instances_come_by_prompt_and_then_by_falling_score(segmenter: Sam3Segmenter) -> None:
    (found,) = find(segmenter, [scene(200, 300, 1)], PROMPTS)

    assert {one.prompt_index for one in found} == {0, 1, 2}
    for one, following in pairwise(found):
        assert (one.prompt_index, -one.score) <= (following.prompt_index, -following.score)
    assert all(SCORE_FLOOR <= one.score <= 1 for one in found)


def test_vision_runs_once_per_image_and_texts_once_for_ever(
    model: Any, segmenter: Sam3Segmenter
) -> None:
    image_features: list[int] = []
    texts: list[int] = []
    hooks = [
        model.vision_encoder.backbone.register_forward_pre_hook(
            lambda _, inputs: image_features.append(len(inputs[0]))
        ),
        model.text_encoder.register_forward_pre_hook(
            lambda _, __, options: texts.append(len(options["input_ids"])), with_kwargs=True
        ),
    ]
    try:
        find(segmenter, [scene(50, 50), scene(60, 40)], PROMPTS)
        find(segmenter, [scene(50, 50)], [PROMPTS[2], "circle", PROMPTS[0]])
    finally:
        for hook in hooks:
            hook.remove()

    assert image_features == [2, 1]
    assert texts == [3, 1]


@pytest.mark.parametrize("pairs", [1, 2, 32])
def test_the_size_of_a_portion_changes_nothing(model: Any, pairs: int) -> None:
    images = [scene(80, 100, 4), scene(100, 80, 5)]
    whole = find(Sam3Segmenter(model, word_tokenizer(), pairs=6), images, PROMPTS)

    split = find(Sam3Segmenter(model, word_tokenizer(), pairs=pairs), images, PROMPTS)

    for left, right in zip(whole, split, strict=True):
        assert [one.prompt_index for one in left] == [one.prompt_index for one in right]
        np.testing.assert_allclose(
            [one.score for one in left], [one.score for one in right], atol=1e-5
        )


def test_the_portion_halves_where_memory_is_short(model: Any) -> None:
    segmenter = Sam3Segmenter(model, word_tokenizer(), pairs=8)
    expected = find(segmenter, [scene(80, 100, 4)], PROMPTS)
    rows: list[int] = []

    def short_of_memory(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        rows.append(inputs[0].shape[1])
        if rows[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory, for this test")

    hook = model.dot_product_scoring.register_forward_pre_hook(short_of_memory)
    try:
        found = find(segmenter, [scene(80, 100, 4)], PROMPTS)
    finally:
        hook.remove()

    assert rows == [3, 1, 1, 1]
    assert segmenter.pairs == 1
    assert [one.score for one in found[0]] == pytest.approx(
        [one.score for one in expected[0]], abs=1e-5
    )


@pytest.mark.parametrize(("best", "drawn"), [(2.0, []), (0.0, [3])])
def test_only_prompts_that_found_something_draw_masks(
    model: Any, monkeypatch: pytest.MonkeyPatch, best: float, drawn: list[int]
) -> None:
    monkeypatch.setattr("workers.models.sam3.postprocess.SCORE_FLOOR", best)
    rows: list[int] = []
    hook = model.mask_decoder.prompt_cross_attn_norm.register_forward_pre_hook(
        lambda _, inputs: rows.append(len(inputs[0]))
    )
    try:
        (found,) = find(Sam3Segmenter(model, word_tokenizer()), [scene(80, 100, 4)], PROMPTS)
    finally:
        hook.remove()

    assert rows == drawn
    assert bool(found) == bool(drawn)


def test_memory_that_is_too_short_for_one_row_is_told(model: Any) -> None:
    segmenter = Sam3Segmenter(model, word_tokenizer(), pairs=8)

    def always(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory, for this test")

    hook = model.detr_decoder.layers[0].register_forward_pre_hook(always)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            find(segmenter, [scene(80, 100, 4)], PROMPTS)
    finally:
        hook.remove()


def test_a_prompt_over_the_context_is_refused_with_its_count(segmenter: Sam3Segmenter) -> None:
    fits, over = " ".join(["red"] * 30), " ".join(["red"] * 31)

    segmenter.check_prompts([fits])

    for check in (segmenter.check_prompts, lambda texts: find(segmenter, [scene(9, 9)], texts)):
        with pytest.raises(
            SpecError, match=r"prompts\[1\]\.text: 'red .* has 33 tokens.* reads 32"
        ):
            check([fits, over])


def test_read_only_and_strided_images_are_taken(segmenter: Sam3Segmenter) -> None:
    image = scene(90, 120, 6)
    mirrored = image[:, ::-1]
    frozen = np.ascontiguousarray(mirrored)
    frozen.setflags(write=False)

    one, other = find(segmenter, [mirrored, frozen], PROMPTS[:1])

    assert one == other


def test_nothing_asked_nothing_found(segmenter: Sam3Segmenter) -> None:
    assert find(segmenter, [], PROMPTS) == []
    assert find(segmenter, [scene(20, 20)], []) == [[]]


def test_images_may_ask_for_different_texts(segmenter: Sam3Segmenter) -> None:
    images = [scene(80, 100, 4), scene(100, 80, 5), scene(60, 60, 6)]
    texts = [("blue", "red circle"), ("red circle", "a the green shape", "red circle"), ()]

    together = segmenter.segment(
        [Request(image, asked) for image, asked in zip(images, texts, strict=True)]
    )

    for image, asked, answer in zip(images, texts, together, strict=True):
        (alone,) = find(segmenter, [image], asked)
        assert [one.prompt_index for one in answer.found] == [one.prompt_index for one in alone]
        assert [one.score for one in answer.found] == pytest.approx(
            [one.score for one in alone], abs=1e-5
        )


def test_warm_up_runs(segmenter: Sam3Segmenter) -> None:
    segmenter.warm_up()
