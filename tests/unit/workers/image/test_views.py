"""An image looked at in tiles: one answer, paid as it was used, stopped within a tile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import pytest
from services.fakes import IndifferentScorer

from maskpool import rle
from maskpool.domain import Found, Klass, PromptScores, new_id
from maskpool.errors import Transient
from maskpool.ports import Answer, Image, Request
from maskpool.tiling.asked import Tiling
from maskpool.tiling.plan import Plan, decide
from maskpool.tiling.record import Why
from workers.engine.engine import Engine
from workers.image.views import Views
from workers.leases import Holding

TEXTS = ("white", "sky", "grey")


class Bright:
    """Finds all that is white, in views of at most 100 pixels: what is squeezed is lost on it."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        self.batches: list[int] = []
        self._before = before

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        self._before(len(self.batches))
        self.batches.append(len(requests))
        return [self._look(one) for one in requests]

    def _look(self, request: Request[Image]) -> Answer:
        image: Any = request.image
        found = []
        for place, text in enumerate(request.texts):
            if text == "white" and max(image.shape) <= 100 and (image[..., 0] == 255).any():
                found.append(_found(place, image[..., 0] == 255))
            if text == "sky":
                assert place in request.stuff
                found.append(_found(place, np.ones(image.shape[:2], np.bool_)))
        scores = tuple(PromptScores(image[..., 0].max() / 255, 0.5) for _ in request.texts)
        return Answer(found, seconds=1.0, scores=scores)


def _found(place: int, mask: Any) -> Found:
    runs = rle.to_runs(rle.encode(mask))
    left, top, right, bottom = map(float, rle.box_xyxy(runs))
    return Found(place, 0.75, (left, top, right, bottom), rle.encode(mask))


@pytest.fixture
def picture() -> Image:
    """250 × 300 pixels, with a white bar over several tiles and a white dot in one."""
    image = np.zeros((250, 300, 3), np.uint8)
    image[40:50, 30:280] = 255
    image[200:206, 10:16] = 255
    return image


def plan_for(image: Image) -> Plan:
    return decide(Tiling(size=100), image.shape[:2], 1_008, things=True)


def holding() -> Holding:
    return Holding(new_id(), time.monotonic() + 60)


def engine_of(segmenter: Any) -> Engine[object]:
    return Engine(segmenter, IndifferentScorer(), micro_batch=4, clock=_Clock())


class _Clock:
    """A second for every look at it, so that a micro-batch takes one."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 1.0
        return self._now


def test_tiles_and_the_whole_view_give_one_answer(picture: Image) -> None:
    chunk = holding()
    with engine_of(segmenter := Bright()) as engine:
        views = Views(engine, chunk, Klass.BULK)
        answer, tiled = views.tiled(picture, TEXTS, plan_for(picture), stuff=[1])

    assert (tiled.why, tiled.count, tiled.side) == (Why.ASKED, 12, 100)
    white = [one for one in answer.found if one.prompt_index == 0]
    assert [one.box_xyxy for one in white] == [
        *[(30.0, 40.0, 280.0, 50.0), (10.0, 200.0, 16.0, 206.0)]
    ]
    assert rle.decode(white[0].mask).sum() == 250 * 10
    # The region comes from the whole view alone, and stands in its place.
    assert [one.prompt_index for one in answer.found] == [0, 0, 1]
    assert answer.found[2].mask.size == (250, 300)
    assert answer.scores == (PromptScores(1.0, 0.5),) * 3
    # The whole view, then twelve tiles, several at once.
    assert sum(segmenter.batches) == 13
    assert max(segmenter.batches) > 1
    assert chunk.spent == pytest.approx(len(segmenter.batches))


def test_an_image_that_is_not_cut_is_looked_at_once(picture: Image) -> None:
    with engine_of(segmenter := Bright()) as engine:
        plan = decide("auto", picture.shape[:2], 1_008, things=True)
        _, tiled = Views(engine, holding(), Klass.BULK).tiled(picture, ("white",), plan)
    assert (tiled.why, tiled.count) == (Why.SMALL, 0)
    assert segmenter.batches == [1]


def test_a_chunk_that_stops_pays_for_the_tiles_that_ran_and_starts_no_other(
    picture: Image,
) -> None:
    chunk = holding()

    def pause(batches: int) -> None:
        if batches == 2:
            chunk.stop_soon()

    with engine_of(segmenter := Bright(pause)) as engine:
        with pytest.raises(CancelledError):
            Views(engine, chunk, Klass.BULK).tiled(picture, ("white",), plan_for(picture))
        assert not engine._queues

    assert len(segmenter.batches) == 3
    assert chunk.spent == pytest.approx(3)


def test_every_tile_is_progress(picture: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = holding()
    progress: list[None] = []
    monkeypatch.setattr(chunk, "made_progress", lambda: progress.append(None))
    with engine_of(Bright()) as engine:
        Views(engine, chunk, Klass.BULK).tiled(picture, ("white",), plan_for(picture))
    assert len(progress) >= 12


def test_few_tiles_are_cut_out_at_any_time() -> None:
    image = np.zeros((1_000, 1_000, 3), np.uint8)
    most = 0
    lock = threading.Lock()
    waiting = 0

    class Counting(Engine[object]):
        def submit(self, *args: Any, **named: Any) -> Any:
            nonlocal waiting, most
            with lock:
                waiting += 1
                most = max(most, waiting)
            future = super().submit(*args, **named)

            def done(_: object) -> None:
                nonlocal waiting
                with lock:
                    waiting -= 1

            future.add_done_callback(done)
            return future

    with Counting(Bright(), IndifferentScorer(), micro_batch=2) as engine:
        Views(engine, holding(), Klass.BULK).tiled(image, ("white",), plan_for(image))
    assert 1 < most <= 4


def test_a_tile_that_fails_fails_the_image_and_is_paid_so_far(picture: Image) -> None:
    chunk = holding()

    def fail(batches: int) -> None:
        if batches == 2:
            raise Transient("the device has not enough memory")

    with engine_of(Bright(fail)) as engine, pytest.raises(Transient, match="not enough memory"):
        Views(engine, chunk, Klass.BULK).tiled(picture, ("white",), plan_for(picture))
    assert chunk.spent >= 2
