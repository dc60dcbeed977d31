from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from small_models import image_processor, scene, small_clip, word_tokenizer
from transformers import CLIPImageProcessorPil, CLIPProcessor

from maskpool.errors import ConfigError, SpecError
from workers.models.clip.scorer import ClipScorer, Preparation, crop_for_clip

TEXTS = ["red circle", "a the green shape", "blue"]

SQUASHED = CLIPImageProcessorPil(
    size={"height": 48, "width": 48},
    do_center_crop=False,
    resample=2,
    image_mean=[0.5] * 3,
    image_std=[0.5] * 3,
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> Any:
    return small_clip()


def published(model: Any, processor: Any, crops: list[np.ndarray]) -> np.ndarray:
    """CLIPModel behind CLIPProcessor, on Pillow images."""
    inputs = CLIPProcessor(processor, word_tokenizer())(
        images=[PillowImage.fromarray(crop) for crop in crops],
        text=TEXTS,
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        logits: np.ndarray = model(**inputs).logits_per_image.numpy()
    return logits


@pytest.mark.parametrize("processor", [image_processor(), SQUASHED], ids=["published", "squashed"])
@pytest.mark.parametrize("crops_at_once", [1, 64])
def test_agrees_with_the_published_processor_and_model(
    model: Any, processor: Any, crops_at_once: int
) -> None:
    crops = [scene(200, 90, 1), scene(60, 333, 2), scene(48, 48, 3), scene(20, 31, 4)]
    scorer = ClipScorer(model, word_tokenizer(), Preparation.of(processor), crops=crops_at_once)

    mine = scorer.similarities(crops, TEXTS)

    expected = published(model, processor, crops)
    assert mine.dtype == np.float32
    assert mine.shape == (4, 3)
    # Logits are 14 × cosines; Pillow and torch round a few pixels differently.
    np.testing.assert_allclose(mine, expected, atol=0.03)
    assert np.ptp(expected) > 0.3


@pytest.mark.parametrize("processor", [image_processor(), SQUASHED], ids=["published", "squashed"])
def test_pixels_are_those_of_the_published_processor(processor: Any) -> None:
    crops = [scene(200, 90, 1), scene(61, 333, 2), scene(30, 31, 4)]
    preparation = Preparation.of(processor)

    for crop in crops:
        mine = preparation.pixels([crop], torch.device("cpu"))[0].numpy()
        expected = processor(PillowImage.fromarray(crop), return_tensors="np")["pixel_values"][0]
        levels = np.abs(mine - expected) * 255 * np.array(processor.image_std)[:, None, None]
        assert levels.max() <= 3.5
        assert levels.mean() < 0.2


def test_a_crop_larger_than_the_resized_image_is_filled_up_as_published() -> None:
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 20}, crop_size={"height": 49, "width": 48}
    )
    crop = scene(40, 77, 5)

    mine = Preparation.of(processor).pixels([crop], torch.device("cpu"))[0].numpy()

    expected = processor(PillowImage.fromarray(crop), return_tensors="np")["pixel_values"][0]
    assert mine.shape == expected.shape
    assert np.abs(mine - expected).max() < 0.1


def test_texts_are_encoded_once(model: Any) -> None:
    scorer = ClipScorer(model, word_tokenizer(), Preparation.of(image_processor()))
    encoded: list[int] = []
    hook = model.text_model.register_forward_pre_hook(
        lambda _, __, options: encoded.append(len(options["input_ids"])), with_kwargs=True
    )
    try:
        scorer.similarities([scene(50, 50)], TEXTS)
        scorer.similarities([scene(50, 50)], [*TEXTS, "circle"])
    finally:
        hook.remove()

    assert encoded == [3, 1]


def test_only_so_many_texts_are_kept(model: Any) -> None:
    scorer = ClipScorer(model, word_tokenizer(), Preparation.of(image_processor()), cached_texts=2)

    first = scorer.similarities([scene(50, 50)], TEXTS)

    assert list(scorer._texts._known) == TEXTS[1:]
    np.testing.assert_allclose(scorer.similarities([scene(50, 50)], TEXTS), first, atol=1e-4)


def test_a_text_over_the_context_is_refused_with_its_count(model: Any) -> None:
    scorer = ClipScorer(model, word_tokenizer(), Preparation.of(image_processor()))

    with pytest.raises(SpecError, match=r"has 42 tokens.* reads 32"):
        scorer.similarities([scene(9, 9)], [" ".join(["red"] * 40)])


def test_nothing_asked_nothing_scored(model: Any) -> None:
    scorer = ClipScorer(model, word_tokenizer(), Preparation.of(image_processor()))

    assert scorer.similarities([], TEXTS).shape == (0, 3)
    assert scorer.similarities([scene(9, 9)], []).shape == (1, 0)


@pytest.mark.parametrize(
    "options", [{"resample": 0}, {"do_normalize": False}, {"size": {"longest_edge": 48}}]
)
def test_a_preprocessing_that_clip_does_not_have_is_refused(options: dict[str, Any]) -> None:
    processor = image_processor()
    for name, value in options.items():
        setattr(processor, name, value)

    with pytest.raises(ConfigError, match=r"preprocessor_config\.json"):
        Preparation.of(processor)


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0, 1),
    st.tuples(*[st.floats(0, 1)] * 4),
)
def test_crops_hold_the_box_and_stay_inside(
    height: int, width: int, context: float, ends: tuple[float, float, float, float]
) -> None:
    rows, columns = np.indices((height, width))
    image = np.stack([rows, columns, rows], axis=-1).astype(np.uint8)
    x0, x1 = sorted((ends[0] * width, ends[1] * width))
    y0, y1 = sorted((ends[2] * height, ends[3] * height))

    crop = crop_for_clip(image, (x0, y0, x1, y1), context)

    assert crop.size > 0
    top, left = crop[0, 0, 0], crop[0, 0, 1]
    bottom, right = crop[-1, -1, 0] + 1, crop[-1, -1, 1] + 1
    assert left <= x0 + 1
    assert top <= y0 + 1
    assert right >= x1 - 1
    assert bottom >= y1 - 1
    side = max(1, round(max(x1 - x0, y1 - y0) * (1 + 2 * context)))
    assert crop.shape[:2] == (min(side, height), min(side, width))
