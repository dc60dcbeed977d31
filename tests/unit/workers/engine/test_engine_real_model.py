from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from services.fakes import IndifferentScorer
from small_models import (
    find,
    image_processor,
    scene,
    small_clip,
    small_sam3,
    small_tracker,
    word_tokenizer,
)

from maskpool.errors import SpecError
from maskpool.ports import ObjectAsk
from workers.engine.engine import Engine
from workers.models.clip.scorer import ClipScorer, Preparation
from workers.models.load import OUT_OF_MEMORY
from workers.models.sam3.segmenter import Sam3Segmenter


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_real_model_behind_the_engine_answers_as_it_does_alone() -> None:
    segmenter = Sam3Segmenter(small_sam3(), word_tokenizer())
    scorer = ClipScorer(small_clip(), word_tokenizer(), Preparation.of(image_processor()))
    images = [scene(60 + 10 * number, 80, number) for number in range(5)]
    prompts = ("red circle", "blue")
    alone = [find(segmenter, [image], prompts)[0] for image in images]
    too_long = (" ".join(["red"] * 40),)

    with Engine(segmenter, scorer, micro_batch=3, out_of_memory=OUT_OF_MEMORY) as engine:
        refused = engine.submit(images[0], too_long)
        futures = [engine.submit(image, prompts) for image in images]
        scores = engine.score([images[0][:20, :20]], prompts)
        together = [future.result(60) for future in futures]
        rate = engine.images_per_second

    for one, other in zip(alone, together, strict=True):
        assert [found.prompt_index for found in one] == [
            found.prompt_index for found in other.found
        ]
        assert [found.score for found in one] == pytest.approx(
            [found.score for found in other.found], abs=1e-5
        )
        assert other.seconds > 0
    assert scores.result(60).similarities.shape == (1, 2)
    assert rate is not None
    assert rate > 0
    with pytest.raises(SpecError, match="42 tokens"):
        refused.result(60)


def test_each_image_gets_what_it_asked_for_whoever_is_beside_it() -> None:
    model = small_sam3()
    segmenter = Sam3Segmenter(model, word_tokenizer(), tracker=small_tracker(model), pairs=4)
    boxes = [ObjectAsk(n, 5, (3.0 * n, 2.0, 3.0 * n + 30.0, 50.0)) for n in range(7)]
    image = scene(60, 80, 3)

    with Engine(segmenter, IndifferentScorer(), micro_batch=8) as engine:
        futures = [
            engine.submit(image, ("red circle",), objects=boxes),
            engine.submit(image, ("red circle",)),
            engine.submit(image, (), objects=boxes[2:3]),
            engine.submit(image, ("blue", "red circle"), stuff=(0,)),
            engine.submit(image, ()),
        ]
        both, texts, one, stuff, nothing = [future.result(60) for future in futures]

    assert [found.object_index for found in both.found if found.object_index is not None] == [
        *range(7)
    ]
    assert [found.score for found in both.found[: len(texts.found)]] == pytest.approx(
        [found.score for found in texts.found], abs=1e-5
    )
    assert [(found.object_index, found.prompt_index) for found in one.found] == [(2, 5)]
    assert [found.prompt_index for found in stuff.found].count(0) <= 1
    assert nothing.found == []
    assert one.seconds < both.seconds
