"""Parity at the size of the published checkpoint, with random weights, in fp32 on the CPU.

Two minutes and 6 GB for each of them: ``make bench`` runs it, ``make test`` does not.
"""

# ruff: noqa: T201

from __future__ import annotations

from typing import Any

import pytest
import torch
from parity import EXACT, compare_all, compare_object, published_object
from small_models import scene, word_tokenizer
from transformers import Sam3Config, Sam3Model, Sam3TrackerConfig, Sam3TrackerModel

from maskpool.ports import ObjectAsk, Request
from workers.models.sam3.segmenter import Sam3Segmenter
from workers.models.sam3.tracker import Tracker

pytestmark = pytest.mark.timeout(3_600)

CLICK = ObjectAsk(0, 7, points=((400.0, 300.0, 1),))
CORRECTED = ObjectAsk(1, 7, points=((400.0, 300.0, 1), (90.5, 20.25, 0), (30.0, 10.0, 1)))
BOX = ObjectAsk(2, 8, (20.0, 30.0, 560.0, 390.0), score=0.75)
CLICKED_BOX = ObjectAsk(3, 8, (20.0, 30.0, 560.0, 390.0), points=((50.0, 50.0, 1), (9.0, 9.0, 0)))


@pytest.fixture(scope="module")
def detector() -> Any:
    torch.manual_seed(0)
    return Sam3Model(Sam3Config()).eval()


def test_texts(detector: Any) -> None:
    """Every query of two prompts: its score, its mask, its box."""
    segmenter = Sam3Segmenter(detector, word_tokenizer())
    prompts = ["red circle", "blue"]
    queries = detector.config.detr_decoder_config.num_queries

    counts = compare_all(segmenter, [scene(480, 640, 1)], prompts, EXACT)

    print(f"\n{counts[0]} of {queries * len(prompts)} masks compared")
    assert counts[0] == queries * len(prompts)


def test_boxes_and_clicks(detector: Any) -> None:
    torch.manual_seed(1)
    tracker = Sam3TrackerModel(Sam3TrackerConfig()).eval()
    tracker.vision_encoder.backbone = detector.vision_encoder.backbone
    segmenter = Sam3Segmenter(detector, word_tokenizer(), tracker=Tracker(tracker))
    image, asks = scene(480, 640, 1), (CLICK, CORRECTED, BOX, CLICKED_BOX)

    (answer,) = segmenter.segment([Request(image, (), objects=asks)])

    for one, ask in zip(answer.found, asks, strict=True):
        compare_object(one, ask, published_object(segmenter, tracker, image, ask), image)
