"""A prompt of stuff is one region, from the head that the published model calls semantic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_models import find, scene, small_sam3, word_tokenizer
from torch.nn import functional

from maskpool import rle
from maskpool.domain import Found
from maskpool.ports import Request
from workers.models.sam3.passes import Passes
from workers.models.sam3.segmenter import Sam3Segmenter

PROMPTS = ("red circle", "blue", "a the green shape")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def segmenter() -> Sam3Segmenter:
    return Sam3Segmenter(small_sam3(), word_tokenizer(), pairs=4)


@torch.inference_mode()
def published(segmenter: Sam3Segmenter, image: np.ndarray, text: str) -> tuple[float, np.ndarray]:
    """``post_process_semantic_segmentation`` of one forward pass, and the presence."""
    pixels = segmenter._squares.stacked([segmenter.prepare(image)])
    ids, attention = segmenter._tokens.encode([text], pixels.device)
    output = segmenter._model(pixel_values=pixels, input_ids=ids, attention_mask=attention)
    probabilities = functional.interpolate(
        output.semantic_seg.sigmoid(), image.shape[:2], mode="bilinear", align_corners=False
    )
    return float(output.presence_logits.sigmoid()), (probabilities[0, 0] > 0.5).numpy()


def test_the_region_is_the_published_one_and_its_score_the_presence(
    segmenter: Sam3Segmenter,
) -> None:
    image = scene(120, 160, 4)

    (answer,) = segmenter.segment([Request(image, PROMPTS, stuff=(0, 1, 2))])

    expected = [published(segmenter, image, text) for text in PROMPTS]
    shown = [place for place, (_, mask) in enumerate(expected) if mask.any()]
    assert [one.prompt_index for one in answer.found] == shown
    assert len(shown) >= 2
    for one in answer.found:
        presence, mask = expected[one.prompt_index]
        assert one.score == pytest.approx(presence, abs=1e-5)
        assert (rle.decode(one.mask) != mask).mean() <= 1e-3
        assert one.box_xyxy == rle.box_xyxy(rle.to_runs(one.mask))


@torch.inference_mode()
def test_the_logits_are_those_of_the_published_head(segmenter: Sam3Segmenter) -> None:
    model: Any = segmenter._model
    passes = Passes(model)
    pixels = segmenter._squares.stacked([segmenter.prepare(scene(90, 90, n)) for n in (1, 2)])
    features, text_mask = segmenter._texts.stacked(["blue", "red circle"])
    ids, attention = segmenter._tokens.encode(["blue", "red circle"], pixels.device)

    image_features = passes.encode(pixels)
    detections = passes.detect(image_features, [0, 1], features, text_mask)
    logits = passes.decode_regions(image_features, detections, [0, 1])

    expected = model(pixel_values=pixels, input_ids=ids, attention_mask=attention).semantic_seg
    torch.testing.assert_close(logits, expected[:, 0], rtol=1e-4, atol=1e-4)


def test_things_beside_stuff_are_found_as_alone_and_come_in_the_order_of_prompts(
    segmenter: Sam3Segmenter,
) -> None:
    image = scene(200, 300, 1)
    (things,) = find(segmenter, [image], PROMPTS)

    (answer,) = segmenter.segment([Request(image, PROMPTS, stuff=(1,))])

    def of(found: list[Found], prompt: int) -> list[float]:
        return [one.score for one in found if one.prompt_index == prompt]

    order = [one.prompt_index for one in answer.found]
    assert order == sorted(order)
    assert len(of(answer.found, 1)) == 1
    for prompt in (0, 2):
        assert of(answer.found, prompt) == pytest.approx(of(things, prompt), abs=1e-5)


def test_a_region_that_is_surely_absent_is_not_drawn(
    segmenter: Sam3Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.models.sam3.text_rows.SCORE_FLOOR", 1.1)
    monkeypatch.setattr(segmenter._passes, "decode_regions", lambda *_: pytest.fail("no need"))

    (answer,) = segmenter.segment([Request(scene(50, 60, 1), PROMPTS, stuff=(0, 1, 2))])

    assert answer.found == []
