"""Asking about one image: a scratch batch grows, and somebody waits."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from services.people import Door, open_door
from services.plain_pool import SPEC, PlainPool
from services.pool_at_work import PoolAtWork
from sqlalchemy import select, update

from db import batches, jobs, lookup, scratch, workers
from db.batches import NewBatch
from db.models import BatchRow, JobRow
from db.session import Database
from maskpool.domain import BatchState, ImageRef, new_id
from maskpool.errors import Conflict
from maskpool.settings import load_settings
from producer.predict import MAX_IN_FLIGHT
from storage.images.fetch import Fetcher
from storage.objects import keys, open_store

BUS, CAR = {"text": "bus"}, {"text": "car"}
BOX = {"class": "car", "box": [1, 1, 4, 3]}


@pytest.fixture
def door(database_url: str, folder_store_url: str) -> Iterator[Door]:
    settings = load_settings(
        database_url=database_url, store_url=folder_store_url, redis_url="redis://127.0.0.1:1/0"
    )
    with open_door(settings) as door:
        yield door


@pytest.fixture
def lone(sqlite_url: str, folder_store_url: str) -> Iterator[Door]:
    """For what is refused as it is written: the database makes no difference."""
    settings = load_settings(
        database_url=sqlite_url, store_url=folder_store_url, redis_url="redis://127.0.0.1:1/0"
    )
    with open_door(settings) as door:
        yield door


def upload(door: Door, who: str = "ann", **body: Any) -> str:
    headers = door.as_(who)
    made = door.client.post("/api/v1/uploads", json=body, headers=headers).json()["id"]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, "PNG")
    url = f"/api/v1/uploads/{made}/files/a.png"
    assert door.client.put(url, content=buffer.getvalue(), headers=headers).status_code == 201
    return str(made)


def ask(door: Door, who: str = "ann", wait: float = 0, **body: Any) -> Any:
    url = f"/api/v1/predict?wait={wait}"
    return door.client.post(url, json=body, headers=door.as_(who))


def worker(door: Door) -> PlainPool:
    return PlainPool(door.pool.database, door.pool.store())


def batches_of(door: Door) -> list[BatchRow]:
    with door.pool.database.read() as session:
        rows = list(session.scalars(select(BatchRow).order_by(BatchRow.created_at)))
        session.expunge_all()
    return rows


def test_calls_of_one_question_share_a_batch_that_grows(door: Door) -> None:
    image = {"upload": upload(door, team=str(door.team)), "file": "a.png"}
    work = worker(door)
    for count in range(1, 4):
        answer = ask(door, **image, prompts=[BUS, CAR])
        assert answer.status_code == 202, answer.text
        link = answer.json()["link"]
        assert answer.headers["location"] == link
        work.drain()
        ended = door.client.get(link, headers=door.as_("ann"))
        assert ended.status_code == 200, ended.text
        assert ended.json()["result"]["state"] == "done"
        [batch] = batches_of(door)
        assert (batch.total, batch.done, batch.state) == (count, count, BatchState.DONE)
        assert (batch.scratch, batch.team_id, batch.klass) == (True, door.team, 0)
    refused = ask(door, **image, objects=[BOX])
    assert refused.status_code == 422, "the plain worker knows no objects"
    assert (refused.json()["code"], refused.json()["params"]["lacks"]) == (
        "worker.lacks",
        ["objects", "spec2"],
    )
    with door.pool.database.write() as session:
        workers.retire(session, work.worker_id)
    ask(door, **image, prompts=[{"text": "car", "not": ["bus"]}])
    ask(door, **image, objects=[BOX])
    ask(door, **image, objects=[BOX, {"class": "car", "points": [[2, 2, 1]]}])
    assert [one.total for one in batches_of(door)] == [3, 1, 2]
    with door.pool.database.read() as session:
        assert lookup.recent(session, limit=10) == []
        asked = session.scalars(select(JobRow.prompts).where(JobRow.prompts.is_not(None))).all()
    assert [len(one["objects"]) for one in asked if one] == [1, 2]


def test_as_many_as_one_may_have_in_flight(door: Door) -> None:
    image = {"upload": upload(door), "file": "a.png"}
    texts = iter("abcdefgh")
    for _ in range(MAX_IN_FLIGHT):
        assert ask(door, **image, prompts=[{"text": next(texts)}]).status_code == 202
    refused = ask(door, **image, prompts=[{"text": next(texts)}])
    assert (refused.status_code, refused.json()["code"]) == (429, "predict.in_flight")
    assert refused.json()["params"] == {"limit": MAX_IN_FLIGHT}
    assert sum(one.total for one in batches_of(door)) == MAX_IN_FLIGHT
    other = {"upload": upload(door, "bob"), "file": "a.png"}
    assert ask(door, "bob", **other, prompts=[BUS]).status_code == 202
    work = worker(door)
    work.work(work.tick()[0])  # ended, and not folded yet
    assert ask(door, **image, prompts=[{"text": next(texts)}]).status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "prompts"),
        ({"prompts": [{"text": ""}]}, "prompts"),
        ({"prompts": [{"txt": "a"}]}, "prompts"),
        ({"objects": [{"class": "a"}]}, "objects"),
        ({"objects": [{"class": "a", "box": [5, 5, 1, 1]}]}, "objects"),
        ({"prompts": [BUS], "model": "never"}, "model"),
        ({"prompts": [BUS], "batch": str(new_id())}, "image"),
        ({"prompts": [BUS], "odd": 1}, "odd"),
        ({"prompts": [{"text": f"t{n}"} for n in range(33)]}, "prompts"),
    ],
)
def test_a_question_is_refused_by_its_field(lone: Door, body: dict[str, Any], field: str) -> None:
    answer = ask(lone, upload=upload(lone), file="a.png", **body)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert batches_of(lone) == []


def test_who_may_ask_about_what(door: Door) -> None:
    mine, ours = upload(door), upload(door, team=str(door.team))
    for who, of_mine, of_ours in (
        ("ann", 202, 202),
        ("bob", 404, 202),
        ("vic", 403, 403),
        ("eve", 404, 404),
        ("nobody", 401, 401),
    ):
        for image, status in ((mine, of_mine), (ours, of_ours)):
            assert ask(door, who, upload=image, file="a.png", prompts=[BUS]).status_code == status
    assert ask(door, upload=mine, file="b.png", prompts=[BUS]).status_code == 404
    made = ask(door, upload=mine, file="a.png", prompts=[BUS]).json()["link"]
    for who, status in (("ann", 202), ("bob", 404), ("eve", 404)):
        assert door.client.get(made, headers=door.as_(who)).status_code == status
    for odd in ("x", f"{new_id()}.0", f"{new_id()}.", "1.1", f"{new_id()}.99999999999999"):
        url = f"/api/v1/predictions/{odd}"
        assert door.client.get(url, headers=door.as_("ann")).status_code == 404


def test_an_image_of_a_batch_is_copied_once_under_the_scratch_batch(door: Door) -> None:
    store, other = door.pool.store(), new_id()
    new = NewBatch("ann", "k", "b", "demo", SPEC.dump(), "x")
    with door.pool.database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        store.put(keys.source_object(batch_id, "a.png"), b"one")
        refs = [
            ImageRef("a.png", store.uri(keys.source_object(batch_id, "a.png"))),
            ImageRef("b.png", "https://images.example.org/b.png"),
            ImageRef("c.png", store.uri(keys.source_object(other, "c.png"))),
        ]
        jobs.load_block(session, batch_id, 0, refs)
        batches.activate(session, batch_id)
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(team_id=door.team))
    store.put(keys.source_object(other, "c.png"), b"of somebody else")
    for _ in range(2):
        assert ask(door, "bob", batch=str(batch_id), image=0, prompts=[BUS]).status_code == 202
    assert ask(door, "bob", batch=str(batch_id), image=1, prompts=[BUS]).status_code == 202
    assert ask(door, "bob", batch=str(batch_id), image=2, prompts=[BUS]).status_code == 422
    assert ask(door, "bob", batch=str(batch_id), image=3, prompts=[BUS]).status_code == 404
    assert ask(door, "eve", batch=str(batch_id), image=0, prompts=[BUS]).status_code == 404
    [scratch_id] = [one.id for one in batches_of(door) if one.scratch]
    with door.pool.database.read() as session:
        uris = list(
            session.scalars(
                select(JobRow.image_uri).where(JobRow.batch_id == scratch_id).order_by(JobRow.seq)
            )
        )
    assert uris[0] == uris[1]
    assert uris[2] == "https://images.example.org/b.png"
    assert Fetcher(store, door.pool.settings).read(uris[0], scratch_id) == b"one"
    assert len(list(store.list(keys.sources_prefix(scratch_id)))) == 1


def test_growing_never_loses_to_a_tick(database_url: str, folder_store_url: str) -> None:
    """Four threads let one batch grow while it is claimed, worked, folded and ended."""
    database = Database(database_url)
    work = PlainPool(database, open_store(folder_store_url))
    with database.write() as session:
        new = NewBatch("ann", "scratch", "s", "demo", SPEC.dump(), "predict")
        batch_id = scratch.find_or_create(session, new, None)
    seqs: list[int] = []
    over = threading.Event()

    def grow() -> None:
        for number in range(10):
            with database.write() as session:
                seq = scratch.append(session, batch_id, ImageRef(f"{number}.png", "file:///x"))
            assert seq is not None
            seqs.append(seq)
            time.sleep(0.005)

    threads = [threading.Thread(target=grow) for _ in range(4)]
    for thread in threads:
        thread.start()
    while not over.is_set():
        if not any(thread.is_alive() for thread in threads):
            over.set()
        for message in work.tick():
            work.work(message)
    work.drain()
    assert sorted(seqs) == list(range(40))
    with database.write() as session:
        row = session.get(BatchRow, batch_id)
        assert row is not None
        assert (row.total, row.loaded, row.next_seq, row.done) == (40, 40, 40, 40)
        assert row.state == BatchState.DONE
        assert scratch.in_flight(session, row.owner_id) == 0
    database.close()


def test_a_scratch_batch_in_another_state(door: Door) -> None:
    with door.pool.database.write() as session:
        new = NewBatch("ann", "scratch", "s", "demo", SPEC.dump(), "predict")
        batch_id = scratch.find_or_create(session, new, None)
        assert scratch.append(session, batch_id, ImageRef("a", "file:///x")) == 0
        assert scratch.find_or_create(session, new, None) == batch_id
        assert scratch.append(session, new_id(), ImageRef("a", "file:///x")) is None
    for end, word in ((batches.pause, "paused"), (batches.cancel, "cancelled")):
        with door.pool.database.write() as session:
            end(session, batch_id)
        with pytest.raises(Conflict, match=word), door.pool.database.write() as session:
            scratch.append(session, batch_id, ImageRef("a", "file:///x"))
    with door.pool.database.write() as session:
        assert scratch.past(session) == []
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(created_at=1))
        assert list(scratch.past(session)) == [batch_id]
    plain = worker(door).submit(1)
    with door.pool.database.write() as session:
        assert scratch.append(session, plain, ImageRef("a", "file:///x")) is None


@pytest.mark.parametrize("redis", ["there", "away"])
def test_who_waits_is_answered(
    database_url: str, folder_store_url: str, redis_url: str, redis: str
) -> None:
    settings = load_settings(
        database_url=database_url,
        store_url=folder_store_url,
        redis_url=redis_url if redis == "there" else "redis://127.0.0.1:1/0",
    )
    with open_door(settings) as door:
        image = {"upload": upload(door), "file": "a.png"}
        store = door.pool.store()
        with PoolAtWork(door.pool.database, store, redis_url, chunk_seconds=0.01):
            began = time.monotonic()
            answer = ask(door, wait=30, **image, prompts=[BUS, CAR])
            assert answer.status_code == 200, answer.text
            assert time.monotonic() - began < 25
        found = answer.json()["result"]
        assert [one["category"] for one in found["instances"]] == ["bus", "car"]
        assert found["instances"][0]["segmentation"]["size"] == [6, 8]
        late = ask(door, wait=0.3, **image, prompts=[BUS])
        assert (late.status_code, late.json()["state"]) == (202, "waiting")
