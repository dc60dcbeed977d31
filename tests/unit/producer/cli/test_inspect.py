"""What the verbs that only read show of an instance, and of prompts that contend."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from uuid import UUID

import pytest

from db.workers import WorkerInfo
from maskpool.abilities import Ability
from maskpool.domain import Found, Instance
from maskpool.rle import Rle
from producer.cli import inspect, results
from producer.contending import Contending
from producer.results.records import ImageResult, LabelledInstance

PLAIN = Instance(Found(0, 0.9, (1.0, 2.0, 3.0, 4.0), Rle((9, 9), "never read")), 4, 0.25)


def test_an_instance_without_rivals_is_shown_as_ever() -> None:
    assert results._instance_json(LabelledInstance("cone", PLAIN)) == {
        "category": "cone",
        "score": 0.9,
        "clip_score": None,
        "overlap": 0.25,
        "area": 4,
        "box_xyxy": (1.0, 2.0, 3.0, 4.0),
        "segmentation": {"size": (9, 9), "counts": "never read"},
    }


def test_what_decides_is_shown_where_it_is_there() -> None:
    rivalled = replace(
        PLAIN, against=0.25, against_text="barrel", contended=0.5, contender=3, clip_score=0.75
    )
    shown = results._instance_json(LabelledInstance("cone", rivalled, "pole"))
    rare = {"against": 0.25, "against_text": "barrel", "contended": 0.5}
    plain = results._instance_json(LabelledInstance("cone", PLAIN))
    assert shown == {**plain, **rare, "clip_score": 0.75, "contender_category": "pole"}
    thing = replace(PLAIN, found=replace(PLAIN.found, object_index=0, predicted_iou=0.0))
    shown = results._instance_json(LabelledInstance("cone", thing))
    assert (shown["object_index"], shown["predicted_iou"]) == (0, 0.0)


def test_an_empty_mask_is_told_apart() -> None:
    empty = LabelledInstance("cat", replace(PLAIN, area=0))
    found = (LabelledInstance("cone", PLAIN), LabelledInstance("cat", PLAIN), empty, empty)
    image = ImageResult(0, "a.jpg", "file:///a.jpg", 9, 9, found)
    assert results._image_row(image)["found"] == "1 × cone, 1 × cat, 2 empty"
    assert results._image_row(replace(image, instances=(empty,)))["found"] == "1 empty"
    assert results._image_row(replace(image, instances=()))["found"] == "–"


def test_pairs_that_contend_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    inspect._show_contending([Contending("a", "b", 1_200, 10_000), *[Contending("c", "d", 3)] * 9])
    first, *others = capsys.readouterr().out.splitlines()
    assert first == (
        "a and b often found the same object, 1,200 times in a sample of 10,000 images"
    )
    assert others == ["c and d often found the same object, 3 times"] * 4
    inspect._show_contending([])
    assert capsys.readouterr().out == ""


def test_workers_are_told_to_programs_with_what_they_can_do(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerInfo(
        id=UUID(int=1),
        name="here",
        device="cpu",
        model="demo",
        threads=2,
        abilities=frozenset({Ability.STUFF, Ability.OBJECTS}),
    )
    monkeypatch.setattr("producer.pool.why_idle", lambda _: "")
    pool = SimpleNamespace(living_workers=lambda: [worker])
    inspect._show_pool(pool, wide=False, as_json=True)  # type: ignore[arg-type]
    [told] = json.loads(capfdbinary.readouterr().out)
    assert (told["id"], told["abilities"]) == (str(UUID(int=1)), ["objects", "stuff"])
