"""Who pays how much of a call."""

from __future__ import annotations

import pytest
import torch
from small_models import scene, small_sam3, small_tracker, word_tokenizer

from maskpool.ports import ObjectAsk, Request
from workers.models.sam3.segmenter import Sam3Segmenter
from workers.models.shares import Shares

CPU = torch.device("cpu")


def test_each_pays_its_part_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 3.0, 10.0, 14.0])
    monkeypatch.setattr("workers.models.shares.time.perf_counter", lambda: next(times))
    shares = Shares(CPU, 3)

    with shares.among([1, 1, 1]):
        pass
    with shares.among([0, 1, 3]):
        pass

    assert shares.seconds() == [1.0, 2.0, 4.0]


def test_what_failed_is_not_measured() -> None:
    shares = Shares(CPU, 1)

    with pytest.raises(torch.OutOfMemoryError), shares.among([1]):
        raise torch.OutOfMemoryError

    assert shares.seconds() == [0.0]


@pytest.mark.usefixtures("one_thread")
def test_one_click_does_not_pay_for_its_neighbours_prompts() -> None:
    model = small_sam3()
    segmenter = Sam3Segmenter(model, word_tokenizer(), tracker=small_tracker(model))
    click = Request(scene(90, 90, 1), (), objects=(ObjectAsk(0, 0, points=((9.0, 9.0, 1),)),))
    many = Request(scene(90, 90, 2), ("red", "blue", "green shape") * 8)
    alone, _ = segmenter.segment([click]), segmenter.segment([many])

    cheap, dear = segmenter.segment([click, many])

    assert dear.seconds > 3 * cheap.seconds
    assert cheap.seconds < 3 * alone[0].seconds
