"""Keeping a prediction: its results outlive the scratch batch."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from services.people import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import func, select, update

from db import removal, workers
from db.models import BatchRow, JobRow, KeptRow
from maskpool.domain import BatchState, JobState, new_id
from maskpool.errors import Conflict
from maskpool.settings import load_settings
from producer import batches as use_cases
from producer import uploads
from producer.deletion import delete_marked
from producer.integrity import check
from producer.keep import keep
from producer.predict import Prediction
from storage.images.fetch import Fetcher
from storage.objects import keys

ASKED: dict[str, Any] = {"prompts": [{"text": "bus"}, {"text": "car"}]}


@pytest.fixture
def door(database_url: str, folder_store_url: str) -> Iterator[Door]:
    settings = load_settings(
        database_url=database_url, store_url=folder_store_url, redis_url="redis://127.0.0.1:1/0"
    )
    with open_door(settings) as door:
        yield door


def upload(door: Door, **body: Any) -> str:
    headers = door.as_("ann")
    made = door.client.post("/api/v1/uploads", json=body, headers=headers).json()["id"]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, "PNG")
    url = f"/api/v1/uploads/{made}/files/street/a.png"
    assert door.client.put(url, content=buffer.getvalue(), headers=headers).status_code == 201
    return str(made)


def predicted(door: Door, who: str = "ann", **body: Any) -> str:
    """A prediction that has ended; its id."""
    url = "/api/v1/predict?wait=0"
    answer = door.client.post(url, json=ASKED | body, headers=door.as_(who))
    assert answer.status_code == 202, answer.text
    PlainPool(door.pool.database, door.pool.store()).drain()
    return str(answer.json()["id"])


def ask_to_keep(door: Door, prediction: str, who: str = "ann", **body: Any) -> Any:
    url = f"/api/v1/predictions/{prediction}/keep"
    return door.client.post(url, json=body, headers=door.as_(who))


def kept(door: Door, prediction: str, who: str = "ann", **body: Any) -> dict[str, Any]:
    answer = ask_to_keep(door, prediction, who, **body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def get(door: Door, path: str, who: str = "ann") -> Any:
    answer = door.client.get(path, headers=door.as_(who))
    assert answer.status_code == 200, answer.text
    return answer.json()


def remove_scratch(door: Door) -> None:
    """What the clerk does once their day is over."""
    with door.pool.database.write() as session:
        days = list(session.scalars(select(BatchRow.id).where(BatchRow.scratch)))
        for batch_id in days:
            removal.mark_deleted(session, batch_id)
    for batch_id in days:
        delete_marked(door.pool.database, door.pool.store(), batch_id)


def test_what_is_kept_outlives_the_scratch_batch(door: Door) -> None:
    source = upload(door, team=str(door.team))
    prediction = predicted(door, upload=source, file="street/a.png")
    before = get(door, f"/api/v1/predictions/{prediction}")["result"]
    place = kept(door, prediction)
    remove_scratch(door)
    assert (
        door.client.get(f"/api/v1/predictions/{prediction}", headers=door.as_("ann")).status_code
        == 404
    )
    after = get(door, place["link"], "bob")
    assert after == before | {"seq": 0}
    assert len(after["instances"]) == 2
    [listed] = get(door, "/api/v1/batches")["batches"]
    assert (listed["id"], listed["name"]) == (place["batch"], "kept: bus, car")
    assert (listed["state"], listed["total"], listed["done"]) == ("done", 1, 1)
    assert (listed["owner"], listed["team"]) == ("ann", str(door.team))
    assert get(door, f"/api/v1/batches/{place['batch']}/counts")["instances"] == {
        "bus": 1,
        "car": 1,
    }
    with pytest.raises(Conflict, match="uses upload"):
        uploads.remove(door.pool, uploads.find(door.pool, door.people["ann"], UUID(source)))
    assert list(check.verify(door.pool.database, door.pool.store())) == []


def test_it_is_kept_once_for_each_name(door: Door) -> None:
    prediction = predicted(door, upload=upload(door), file="street/a.png")
    first = kept(door, prediction)
    again = ask_to_keep(door, prediction)
    assert (again.status_code, again.json()) == (200, first)
    other = kept(door, prediction, name="good ones")
    assert other["batch"] != first["batch"]
    with door.pool.database.read() as session:
        assert session.scalar(select(func.count()).select_from(KeptRow)) == 2
        assert (
            session.scalar(select(func.count()).where(JobRow.batch_id == UUID(first["batch"]))) == 1
        )
    headers = door.as_("ann")
    gone = door.client.delete(f"/api/v1/batches/{first['batch']}", headers=headers)
    assert gone.status_code == 202
    assert kept(door, prediction)["batch"] not in (first["batch"], other["batch"])


def test_a_kept_batch_grows_and_stays_read_as_its_owner_said(door: Door) -> None:
    image = {"upload": upload(door), "file": "street/a.png"}
    places = [kept(door, predicted(door, **image)) for _ in range(2)]
    batch = places[0]["batch"]
    url = f"/api/v1/batches/{batch}/reading"
    put = door.client.put(url, json={"threshold": 0.8}, headers=door.as_("ann"))
    assert put.status_code == 200, put.text
    places.append(kept(door, predicted(door, **image)))
    assert [(one["batch"], one["image"]) for one in places] == [(batch, seq) for seq in range(3)]
    assert get(door, url)["reading"]["threshold"] == 0.8
    names = [one["name"] for one in get(door, f"/api/v1/batches/{batch}/images")["images"]]
    assert names == ["street/a.png", "street/a (2).png", "street/a (3).png"]
    with door.pool.database.read() as session:
        row = session.get(BatchRow, UUID(batch))
        assert row is not None
        assert (row.total, row.loaded, row.next_seq, row.done) == (3, 3, 3, 3)
    assert PlainPool(door.pool.database, door.pool.store()).tick() == []
    assert list(check.verify(door.pool.database, door.pool.store())) == []


def test_objects_keep_their_asks(door: Door) -> None:
    work = PlainPool(door.pool.database, door.pool.store())
    image = {"upload": upload(door), "file": "street/a.png"}
    box = {"class": "car", "box": [1, 1, 4, 3]}
    url = "/api/v1/predict?wait=0"
    body = {**image, "prompts": [{"text": "a"}, {"text": "b"}], "objects": [box]}
    answer = door.client.post(url, json=body, headers=door.as_("ann"))
    assert answer.status_code == 202, answer.text
    work.drain()
    with door.pool.database.write() as session:
        workers.retire(session, work.worker_id)
    place = kept(door, answer.json()["id"])
    with door.pool.database.read() as session:
        asks = session.scalars(
            select(JobRow.prompts).where(JobRow.batch_id == UUID(place["batch"]))
        ).one()
    assert asks is not None
    assert asks["objects"][0]["class"] == "car"
    found = get(door, place["link"])["instances"]
    assert [one["object_index"] for one in found] == [None, None, 0]


def test_an_image_that_belongs_to_the_scratch_batch_is_copied(door: Door) -> None:
    batch_id = _batch_of_an_own_image(door)
    place = kept(door, predicted(door, batch=str(batch_id), image=0))
    remove_scratch(door)
    with door.pool.database.read() as session:
        uri = session.scalars(
            select(JobRow.image_uri).where(JobRow.batch_id == UUID(place["batch"]))
        ).one()
    kept_id = UUID(place["batch"])
    assert keys.sources_prefix(kept_id) in uri
    store = door.pool.store()
    assert Fetcher(store, door.pool.settings).read(uri, kept_id) == b"one"
    use_cases.remove(door.pool, kept_id)
    assert not list(store.list(keys.sources_prefix(kept_id)))
    assert not list(store.list(keys.masks_prefix(kept_id)))
    with door.pool.database.read() as session:
        assert session.scalar(select(func.count()).select_from(KeptRow)) == 0


def _batch_of_an_own_image(door: Door) -> UUID:
    work = PlainPool(door.pool.database, door.pool.store())
    batch_id = work.submit(1)
    key = keys.source_object(batch_id, "a.png")
    door.pool.store().put(key, b"one")
    with door.pool.database.write() as session:
        uri = {"image_uri": door.pool.store().uri(key), "name": "a.png"}
        session.execute(update(JobRow).values(uri))
    work.drain()
    return batch_id


def test_several_keep_at_once(door: Door) -> None:
    image = {"upload": upload(door), "file": "street/a.png"}
    predictions = [predicted(door, **image) for _ in range(3)]
    caller = door.people["ann"]
    with ThreadPoolExecutor(6) as threads:
        made = list(
            threads.map(lambda one: keep(door.pool, caller, Prediction.read(one)), predictions * 2)
        )
    assert len({one.batch_id for one in made}) == 1
    assert sorted(one.seq for one in made) == [0, 0, 1, 1, 2, 2]
    assert sum(one.new for one in made) == 3
    assert list(check.verify(door.pool.database, door.pool.store())) == []


def test_what_cannot_be_kept(door: Door) -> None:
    source = upload(door)
    body = {"upload": source, "file": "street/a.png", **ASKED}
    answer = door.client.post("/api/v1/predict?wait=0", json=body, headers=door.as_("ann"))
    waiting = answer.json()["id"]
    refused = ask_to_keep(door, waiting)
    assert (refused.status_code, refused.json()["code"]) == (409, "keep.unfinished")
    assert "still looked at" in refused.json()["detail"]
    with door.pool.database.write() as session:
        session.execute(update(JobRow).values(state=JobState.FAILED, error="no image"))
        session.execute(update(BatchRow).values(failed=1, next_seq=1, state=BatchState.DONE))
    assert "no result" in ask_to_keep(door, waiting).json()["detail"]
    done = predicted(door, upload=source, file="street/a.png")
    for who, status in (("bob", 404), ("eve", 404), ("vic", 403), ("nobody", 401)):
        assert ask_to_keep(door, done, who).status_code == status
    for odd in ("x", f"{new_id()}.0"):
        assert ask_to_keep(door, odd).status_code == 404
    assert ask_to_keep(door, done, name="a\0").status_code == 422
    caller = door.people["ann"]
    uploads.remove(door.pool, uploads.find(door.pool, caller, UUID(source)))
    gone = ask_to_keep(door, done)
    assert (gone.status_code, "upload" in gone.json()["detail"]) == (404, True)
