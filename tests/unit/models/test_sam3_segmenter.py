from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from published_sam3 import segment_one
from small_models import scene, small_sam3, word_tokenizer

from maskpool import rle
from maskpool.domain import SCORE_FLOOR, Found
from maskpool.errors import SpecError
from maskpool.settings import BUILT_IN_MODELS, DEMO_MODELS
from workers.models.load import load_segmenter
from workers.models.sam3 import Sam3Segmenter

PROMPTS = ["red circle", "blue", "a the green shape"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> Any:
    return small_sam3()


@pytest.fixture
def segmenter(model: Any) -> Sam3Segmenter:
    return Sam3Segmenter(model, word_tokenizer(), pairs=4)


def assert_same_as_published(
    model: Any, tokenizer: Any, image: np.ndarray, prompts: list[str], found: list[Found]
) -> int:
    """Compare score by score and pixel by pixel; returns how many instances there were."""
    compared = 0
    for index, prompt in enumerate(prompts):
        mine = [one for one in found if one.prompt_index == index]
        published = segment_one(model, tokenizer, image, prompt, SCORE_FLOOR)
        filled = published.masks.any(axis=(1, 2))
        scores, masks = published.scores[filled], published.masks[filled]
        np.testing.assert_allclose([one.score for one in mine], scores, atol=1e-3)
        for one in mine:
            # Scores that are equal to a rounding may change places; the mask says which is meant.
            rivals = masks[np.abs(scores - one.score) <= 1e-3]
            mask = rle.decode(one.mask)
            agreement = [(mask == rival).mean() for rival in rivals]
            assert max(agreement) >= 0.999
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert one.box_xyxy == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        compared += len(mine)
    return compared


def test_agrees_with_one_published_pass_per_image_and_prompt(
    model: Any, segmenter: Sam3Segmenter
) -> None:
    images = [scene(200, 300, 1), scene(120, 60, 2), scene(96, 96, 3)]

    found = segmenter.segment(images, PROMPTS)

    assert len(found) == len(images)
    compared = [
        assert_same_as_published(model, word_tokenizer(), image, PROMPTS, instances)
        for image, instances in zip(images, found, strict=True)
    ]
    assert min(compared) >= 5


@pytest.mark.skipif(
    not (DEMO_MODELS / "sam3" / "model.safetensors").exists(), reason="no demo weights yet"
)
def test_agrees_with_the_published_path_on_the_demo_weights() -> None:
    segmenter = load_segmenter(BUILT_IN_MODELS["demo"].sam3, torch.device("cpu"))
    image = np.full((240, 320, 3), 230, dtype=np.uint8)
    image[40:120, 50:130] = (220, 30, 30)
    image[130:200, 200:280] = (30, 60, 220)
    prompts = ["red square", "blue square", "green circle", "square"]

    (found,) = segmenter.segment([image], prompts)

    tokenizer = segmenter._tokens._tokenizer
    assert assert_same_as_published(segmenter._model, tokenizer, image, prompts, found) >= 3


def test_instances_come_by_prompt_and_then_by_falling_score(segmenter: Sam3Segmenter) -> None:
    (found,) = segmenter.segment([scene(200, 300, 1)], PROMPTS)

    assert {one.prompt_index for one in found} == {0, 1, 2}
    for one, following in pairwise(found):
        assert (one.prompt_index, -one.score) <= (following.prompt_index, -following.score)
    assert all(SCORE_FLOOR <= one.score <= 1 for one in found)


def test_vision_runs_once_per_image_and_texts_once_for_ever(
    model: Any, segmenter: Sam3Segmenter
) -> None:
    seen: list[int] = []
    texts: list[int] = []
    hooks = [
        model.vision_encoder.backbone.register_forward_pre_hook(
            lambda _, inputs: seen.append(len(inputs[0]))
        ),
        model.text_encoder.register_forward_pre_hook(
            lambda _, __, options: texts.append(len(options["input_ids"])), with_kwargs=True
        ),
    ]
    try:
        segmenter.segment([scene(50, 50), scene(60, 40)], PROMPTS)
        segmenter.segment([scene(50, 50)], [PROMPTS[2], "circle", PROMPTS[0]])
    finally:
        for hook in hooks:
            hook.remove()

    assert seen == [2, 1]
    assert texts == [3, 1]


@pytest.mark.parametrize("pairs", [1, 2, 32])
def test_the_size_of_a_portion_changes_nothing(model: Any, pairs: int) -> None:
    images = [scene(80, 100, 4), scene(100, 80, 5)]
    whole = Sam3Segmenter(model, word_tokenizer(), pairs=6).segment(images, PROMPTS)

    split = Sam3Segmenter(model, word_tokenizer(), pairs=pairs).segment(images, PROMPTS)

    for left, right in zip(whole, split, strict=True):
        assert [one.prompt_index for one in left] == [one.prompt_index for one in right]
        np.testing.assert_allclose(
            [one.score for one in left], [one.score for one in right], atol=1e-5
        )


def test_the_portion_halves_where_memory_is_short(model: Any) -> None:
    segmenter = Sam3Segmenter(model, word_tokenizer(), pairs=8)
    expected = segmenter.segment([scene(80, 100, 4)], PROMPTS)
    rows: list[int] = []

    def short_of_memory(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        rows.append(inputs[0].shape[1])
        if rows[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory, for this test")

    hook = model.dot_product_scoring.register_forward_pre_hook(short_of_memory)
    try:
        found = segmenter.segment([scene(80, 100, 4)], PROMPTS)
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
    monkeypatch.setattr("workers.models.postprocess.SCORE_FLOOR", best)
    rows: list[int] = []
    hook = model.mask_decoder.prompt_cross_attn_norm.register_forward_pre_hook(
        lambda _, inputs: rows.append(len(inputs[0]))
    )
    try:
        (found,) = Sam3Segmenter(model, word_tokenizer()).segment([scene(80, 100, 4)], PROMPTS)
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
            segmenter.segment([scene(80, 100, 4)], PROMPTS)
    finally:
        hook.remove()


def test_a_prompt_over_the_context_is_refused_with_its_count(segmenter: Sam3Segmenter) -> None:
    fits, over = " ".join(["red"] * 30), " ".join(["red"] * 31)

    segmenter.check_prompts([fits])

    for check in (segmenter.check_prompts, lambda texts: segmenter.segment([scene(9, 9)], texts)):
        with pytest.raises(
            SpecError, match=r"prompts\[1\]\.text: 'red .* has 33 tokens.* reads 32"
        ):
            check([fits, over])


def test_read_only_and_strided_images_are_taken(segmenter: Sam3Segmenter) -> None:
    image = scene(90, 120, 6)
    mirrored = image[:, ::-1]
    frozen = np.ascontiguousarray(mirrored)
    frozen.setflags(write=False)

    one, other = segmenter.segment([mirrored, frozen], PROMPTS[:1])

    assert one == other


def test_nothing_asked_nothing_found(segmenter: Sam3Segmenter) -> None:
    assert segmenter.segment([], PROMPTS) == []
    assert segmenter.segment([scene(20, 20)], []) == [[]]


def test_warm_up_runs(segmenter: Sam3Segmenter) -> None:
    segmenter.warm_up()


def test_bf16_autocast_changes_little(
    model: Any, segmenter: Sam3Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a CUDA device does, on the CPU: types must fit and scores stay near."""
    image = scene(120, 160, 8)
    (exact,) = segmenter.segment([image], PROMPTS)
    monkeypatch.setattr(
        "workers.models.sam3.precision", lambda _: torch.autocast("cpu", dtype=torch.bfloat16)
    )

    (found,) = Sam3Segmenter(model, word_tokenizer()).segment([image], PROMPTS)

    for index in range(len(PROMPTS)):
        pair = [
            sorted(one.score for one in side if one.prompt_index == index)
            for side in (exact, found)
        ]
        np.testing.assert_allclose(pair[0][-5:], pair[1][-5:], atol=0.03)
    # Equal scores would mean that nothing ran in bf16 at all.
    assert [one.score for one in found] != [one.score for one in exact]
