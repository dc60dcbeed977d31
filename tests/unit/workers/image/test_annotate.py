"""One image's way: what it is asked, and what becomes of it where that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from services.fakes import IndifferentScorer, TimedSegmenter

from maskpool import rle
from maskpool.abilities import Ability
from maskpool.domain import Found, Job, JobFailure, Klass, new_id
from maskpool.errors import BrokenOff, SpecError, Unreachable
from maskpool.ports import Image, Request
from maskpool.spec import BatchSpec
from storage.images.fetch import FetchedImage
from storage.objects.folder import FolderStore
from workers.engine.engine import Engine
from workers.image.annotate import Annotator
from workers.leases import Holding
from workers.outcomes import Annotated, Outcome, Unable

CORNER = rle.encode(np.eye(1, 40 * 60, dtype=np.bool_).reshape(40, 60))

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "cat"}]})


@dataclass
class Failing:
    """A fetcher to which the same happens each time."""

    error: Exception

    def fetch(self, _uri: str, _batch_id: object = None, _take: object = None) -> Any:
        raise self.error


@pytest.mark.parametrize("kind", [Unreachable, BrokenOff])
def test_a_host_that_breaks_off_is_told_from_one_that_is_away(
    kind: type[Unreachable], tmp_path: Any
) -> None:
    fetcher: Any = Failing(kind("https://x.org/a.jpg", "as it says"))
    engine: Any = None
    annotator = Annotator(fetcher, engine, FolderStore(tmp_path))
    holding = Holding(new_id(), time.monotonic() + 60)
    job = Job(3, "a.jpg", "https://x.org/a.jpg")
    end = annotator.annotate(job, SPEC, holding, Klass.BULK)
    sentence = "https://x.org/a.jpg is unreachable: as it says"
    assert end == JobFailure(3, sentence, transient=True, broken_off=kind is BrokenOff)


class Grey:
    """A fetcher that knows one image, 60 × 40 pixels."""

    def fetch(self, _uri: str, _batch_id: object = None, _take: object = None) -> FetchedImage:
        return FetchedImage(np.full((40, 60, 3), 127, np.uint8), "0" * 64)


def look(request: Request[Image]) -> list[Found]:
    texts = range(len(request.texts))
    return [Found(text, 0.5, (0.0, 0.0, 1.0, 1.0), CORNER) for text in texts]


@pytest.fixture
def annotator(tmp_path: Path) -> Iterator[Annotator]:
    fetcher: Any = Grey()
    engine: Any = Engine(TimedSegmenter(0.0, look), IndifferentScorer(), micro_batch=2)
    with engine:
        yield Annotator(fetcher, engine, FolderStore(tmp_path))


def annotate(annotator: Annotator, asks: dict[str, Any] | None, **spec: Any) -> Outcome:
    asked = {"version": 2, "model": "demo", "prompts": [{"text": "sky"}], **spec}
    job = Job(3, "a.jpg", "file:///a.jpg", prompts=asks)
    holding = Holding(new_id(), time.monotonic() + 60)
    return annotator.annotate(job, BatchSpec.read(asked), holding, Klass.BULK)


def test_every_box_is_one_mask_behind_those_of_texts_in_the_order_of_the_source(
    annotator: Annotator,
) -> None:
    objects = [
        {"class": "dog", "box": [0.5, 0.5, 1.0, 1.0], "score": 0.25},
        {"class": "cat", "box": [1.5, 0.0, 2.0, 1.0]},
        {"class": "dog", "points": [[0.5, 0.5, 1]]},
    ]

    end = annotate(annotator, {"objects": objects, "unit": "fraction"}, classes=["cat", "dog"])

    assert isinstance(end, Annotated)
    found = [one.found for one in end.result.instances]
    assert [(one.object_index, one.prompt_index) for one in found] == [
        *[(None, 0), (0, 2), (1, 1), (2, 2)]
    ]
    assert [one.box_xyxy for one in found[1:]] == [
        *[(30.0, 20.0, 60.0, 40.0), (0.0, 0.0, 0.0, 0.0), (30.0, 20.0, 31.0, 21.0)]
    ]
    assert [one.score for one in found[1:]] == [0.25, 1.0, 1.0]
    assert [one.area for one in end.result.instances[1:]] == [600, 0, 1]


def test_objects_of_another_image_fail_the_job_at_once(annotator: Annotator) -> None:
    asks = {"objects": [{"class": "cat", "box": [0, 0, 9, 9]}], "size": [61, 40]}

    end = annotate(annotator, asks, classes=["cat"])

    assert isinstance(end, JobFailure)
    assert "61 × 40 pixels, and this one has 60 × 40" in end.error
    assert not end.transient


def test_nothing_asked_is_done_with_nothing_found(annotator: Annotator) -> None:
    segmenter: Any = annotator.engine._segmenter
    segmenter.segment = lambda _: pytest.fail("there is nothing to look for")

    spec = BatchSpec.read({"version": 2, "model": "demo", "prompts": [], "classes": ["cat"]})
    holding = Holding(new_id(), time.monotonic() + 60)
    end = annotator.annotate(Job(3, "a.jpg", "file:///a.jpg"), spec, holding, Klass.BULK)

    assert isinstance(end, Annotated)
    assert (end.result.width, end.result.height, end.result.instances) == (60, 40, ())
    assert holding.spent == 0


def test_what_a_worker_cannot_do_is_no_fault_of_the_image(annotator: Annotator) -> None:
    bare = replace(annotator, abilities=frozenset({Ability.SPEC2}))
    asks = {"objects": [{"class": "cat", "box": [0, 0, 9, 9]}]}

    assert annotate(bare, asks, classes=["cat"]) == Unable(
        "this worker cannot do what is asked: objects"
    )
    assert isinstance(annotate(bare, None, classes=["cat"]), Annotated)


class Refusing:
    """An engine whose text encoder cannot read the last text whole."""

    def submit(self, _image: Any, texts: Any, _klass: Any, **_: Any) -> Future[Any]:
        refused: Future[Any] = Future()
        refused.set_exception(SpecError(f"prompts[{len(texts) - 1}].text", "has 40 tokens"))
        return refused


def test_a_negative_that_is_too_long_is_named_as_the_spec_names_it(annotator: Annotator) -> None:
    engine: Any = Refusing()
    cat = {"text": "cat", "not": ["dog", "a very long text"]}
    end = annotate(replace(annotator, engine=engine), None, prompts=[cat])
    assert end == JobFailure(3, "prompts[0].not[1]: has 40 tokens")
