"""CLIP's score against negative texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from maskpool.domain import Found
from maskpool.ports import Image
from maskpool.rle import Rle
from maskpool.spec_prompt import Prompt
from workers.engine.work import Scored
from workers.image.asked import Asked
from workers.image.verify import verify

IMAGE = np.zeros((20, 20, 3), np.uint8)
CONE = Prompt.model_validate({"text": "cone", "not": ["barrel", "pole"]})
BUS = Prompt.model_validate({"text": "bus"})


def found(prompt: int) -> Found:
    return Found(prompt, 0.9, (2.0, 2.0, 12.0, 12.0), Rle((20, 20), "never read"))


def test_the_strongest_negative_text_decides() -> None:
    asked = []

    def score(crops: Sequence[Image], texts: Sequence[str]) -> Scored:
        asked.append((len(crops), tuple(texts)))
        return Scored(np.array([[3.0, 1.0, 2.0], [1.0, 4.0, 0.0]], np.float32), 0.5)

    scores = verify(
        IMAGE, [found(0), found(1), found(1)], Asked.of([BUS, CONE], verify=True), score
    )

    assert asked == [(2, ("cone", "barrel", "pole"))]
    assert scores == {
        1: pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-7),
        2: pytest.approx(1 / (1 + np.exp(3.0)), abs=1e-7),
    }


def test_clip_is_not_asked_where_the_batch_does_not_ask_for_it() -> None:
    def score(crops: Sequence[Image], texts: Sequence[str]) -> Scored:
        raise AssertionError((crops, texts))

    assert verify(IMAGE, [found(1)], Asked.of([BUS, CONE]), score) == {}


def test_clip_is_not_asked_where_there_is_nothing_to_compare() -> None:
    def score(crops: Sequence[Image], texts: Sequence[str]) -> Scored:
        raise AssertionError((crops, texts))

    assert verify(IMAGE, [found(0)], Asked.of([BUS, CONE], verify=True), score) == {}


def test_more_crops_than_a_prompt_has_without_tiles_are_compared_in_portions() -> None:
    asked = []

    def score(crops: Sequence[Image], texts: Sequence[str]) -> Scored:
        asked.append(len(crops))
        return Scored(np.array([[2.0, 1.0, 0.0]] * len(crops), np.float32), 0.5)

    scores = verify(IMAGE, [found(0)] * 450, Asked.of([CONE], verify=True), score)

    assert asked == [200, 200, 50]
    assert sorted(scores) == list(range(450))
