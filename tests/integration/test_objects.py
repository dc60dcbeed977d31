"""What single images are asked: from a manifest into rows, to workers, and into the key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from services.plain_pool import PlainPool

from db import jobs, lookup
from db.session import Database
from maskpool.errors import Conflict, SourceError, SpecError
from maskpool.settings import Settings
from maskpool.spec_file import asked
from producer.submission import Submission, prepare
from producer.submit import Submitter
from storage.objects import open_store

CAT = {"class": "cat", "box": [1, 2, 30, 40], "score": 0.5}
DOG = {"class": "dog", "points": [[4, 5, 1], [20, 20, 0]]}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abc":
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


def jsonl(photos: Path, asks: dict[str, Any]) -> Path:
    file = photos / "list.jsonl"
    rows = [{"uri": f"{name}.png", "prompts": asks.get(name)} for name in "abc"]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def csv(photos: Path, asks: dict[str, Any]) -> Path:
    file = photos / "list.csv"
    lines = ["uri,prompts"]
    for name in "abc":
        text = json.dumps(asks[name]).replace('"', '""') if name in asks else ""
        lines.append(f'{name}.png,"{text}"')
    file.write_text("\n".join(lines))
    return file


def ask(source: Path, *texts: str, **others: Any) -> Submission:
    settings = Settings(home=source.parent / "home", store_url=(source.parent / "s").as_uri())
    return prepare(settings, str(source), asked(None, texts), **others)


def taken(database: Database, folder: Path) -> list[dict[str, Any] | None]:
    """What a worker is given of each job, by ``seq``."""
    pool = PlainPool(database, open_store((folder / "store").as_uri()))
    jobs_taken = [job for message in pool.tick() for job in pool.take(message).jobs]
    return [job.prompts for job in sorted(jobs_taken, key=lambda job: job.seq)]


@pytest.mark.parametrize("form", [jsonl, csv])
def test_workers_are_given_what_each_image_is_asked(
    database: Database, photos: Path, form: Any
) -> None:
    asks = {"a": {"objects": [CAT, DOG]}, "c": {"objects": [CAT], "size": [64, 48]}}
    submission = ask(form(photos, asks), "tree", "cone, not barrel")
    assert submission.spec.classes == ("cat", "dog")
    assert submission.spec.categories == ("tree", "cone", "cat", "dog")
    Submitter(database, lambda: None).submit(submission)
    first, second, third = taken(database, photos.parent)
    assert first == {"objects": [CAT | {"box": [1.0, 2.0, 30.0, 40.0]}, DOG]}
    assert second is None
    assert third is not None
    assert third["size"] == [64, 48]


def test_a_batch_of_objects_needs_no_prompt_and_one_of_nothing_is_refused(photos: Path) -> None:
    assert ask(jsonl(photos, {"a": {"objects": [CAT]}})).spec.prompts == ()
    with pytest.raises(SpecError, match="at least one prompt"):
        ask(jsonl(photos, {}))
    with pytest.raises(SpecError, match="at least one prompt"):
        ask(jsonl(photos, {"a": {"objects": []}}))


def test_boxes_of_other_images_alone_are_refused_by_their_names(photos: Path) -> None:
    boxes = photos.parent / "boxes.json"
    image = {"id": 1, "file_name": "other.png", "width": 64, "height": 48}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    whole = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]}
    boxes.write_text(json.dumps(whole))
    with pytest.raises(SourceError, match=r"no box to work on: 1 image .*'other\.png'.*'a\.png'"):
        ask(photos, boxes=boxes)
    boxes.write_text(json.dumps({**whole, "annotations": []}))
    with pytest.raises(SourceError, match="no box"):
        ask(photos, boxes=boxes)


def test_a_batch_without_objects_stays_what_it_was(database: Database, photos: Path) -> None:
    submission = ask(photos, "tree")
    assert submission.spec.dump() == {
        "version": 1,
        "model": "demo",
        "prompts": [{"text": "tree", "name": "tree", "not": []}],
        "settings": {"threshold": 0.5, "max_overlap": submission.spec.settings.max_overlap},
    }
    batch = Submitter(database, lambda: None).submit(submission)
    with database.read() as session:
        assert lookup.question(session, batch.batch_id).reading is None
        assert [row.prompts for row in jobs.page(session, batch.batch_id)] == [None] * 3


def test_the_same_key_with_other_boxes_is_a_conflict(database: Database, photos: Path) -> None:
    submit = Submitter(database, lambda: None).submit
    first = submit(ask(jsonl(photos, {"a": {"objects": [CAT]}}), key="k"))
    again = submit(ask(jsonl(photos, {"a": {"objects": [CAT]}}), key="k"))
    assert (again.batch_id, again.created) == (first.batch_id, False)
    moved = {"a": {"objects": [CAT | {"box": [1, 2, 30, 41]}]}}
    with pytest.raises(Conflict, match="another spec"):
        submit(ask(jsonl(photos, moved), key="k"))
    with pytest.raises(Conflict, match="another spec"):
        submit(ask(jsonl(photos, {"b": {"objects": [CAT]}}), key="k"))


def test_the_same_key_with_another_threshold_is_read_anew(database: Database, photos: Path) -> None:
    submit = Submitter(database, lambda: None).submit
    settings = Settings(home=photos.parent / "home", store_url=(photos.parent / "s").as_uri())

    def submitted(**reading: Any) -> Any:
        question = asked(None, ["tree"], **reading)
        batch = submit(prepare(settings, str(photos), question, key="k"))
        assert batch.read_anew == bool(reading)
        with database.read() as session:
            return batch.batch_id, lookup.question(session, batch.batch_id).reading

    first, nothing = submitted()
    assert nothing is None
    second, reading = submitted(threshold=0.9)
    assert (second, reading["threshold"]) == (first, 0.9)
    third, reading = submitted(exclusive=True)
    assert (third, reading["threshold"], reading["exclusive"]) == (first, 0.5, True)


def test_boxes_that_change_while_they_are_read_leave_no_batch(
    database: Database, photos: Path
) -> None:
    source = jsonl(photos, {"a": {"objects": [CAT]}})
    submission = ask(source)
    jsonl(photos, {"a": {"objects": [CAT, DOG | {"class": "cat"}]}})
    with pytest.raises(SourceError, match="changed while it was read"):
        Submitter(database, lambda: None).submit(submission)
    with database.read() as session:
        assert lookup.recent(session, limit=5) == []


@pytest.mark.parametrize(
    ("asks", "sentence"),
    [
        ({"objects": [CAT | {"box": [3, 2, 1, 4]}]}, r"line 1: prompts: objects\[0\]\.box"),
        ({"boxes": []}, r"line 1: prompts: boxes"),
        ([], r"line 1: prompts: is no object with fields"),
    ],
)
def test_bad_asks_name_their_line(photos: Path, asks: Any, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        ask(jsonl(photos, {"a": asks}))


def test_a_column_that_is_no_json_names_its_line(photos: Path) -> None:
    file = photos / "list.csv"
    file.write_text('uri,prompts\na.png,\nb.png,"{objects: []}"\n')
    with pytest.raises(SourceError, match=r"line 3.*prompts: is no JSON"):
        ask(file, "tree")


def test_prompts_twice_in_one_object_are_refused(photos: Path) -> None:
    file = photos / "list.jsonl"
    file.write_text('{"uri": "a.png", "prompts": {}, "prompts": {"objects": []}}\n')
    with pytest.raises(SourceError, match="has the field 'prompts' twice"):
        ask(file, "tree")


def test_a_file_of_boxes_becomes_asks(database: Database, photos: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    image = {"id": 1, "file_name": "b.png", "width": 64, "height": 48}
    other = {"id": 2, "file_name": "nowhere.png", "width": 64, "height": 48}
    rows = [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 10, 10]},
        {"id": 2, "image_id": 1, "category_id": 7, "bbox": [1, 2, 0, 10]},
        {"id": 3, "image_id": 2, "category_id": 7, "bbox": [1, 2, 5, 10]},
    ]
    boxes.write_text(
        json.dumps(
            {
                "images": [image, other],
                "annotations": rows,
                "categories": [{"id": 7, "name": "cat"}],
            }
        )
    )
    submission = ask(photos, boxes=boxes)
    assert submission.spec.classes == ("cat",)
    Submitter(database, lambda: None).submit(submission)
    _, asks, _ = taken(database, photos.parent)
    assert asks is not None
    assert asks["objects"] == [{"class": "cat", "box": [1.0, 2.0, 11.0, 12.0]}]
    with pytest.raises(SourceError, match=r"not all boxes are used: .*annotation"):
        ask(photos, boxes=boxes, strict=True)
