"""Batches and their images over REST, on both databases: pages, filters, orders, versions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image
from services.door import Door, open_door
from services.plain_pool import SIZE, PlainPool
from sqlalchemy import update

from db.models import BatchRow, JobRow
from maskpool import rle
from maskpool.domain import JobState, new_id
from producer.accounts.rights import Right

COUNT = 12
#: What chance gives for seed 1, on Postgres as on SQLite.
ORDER_OF_SEED_1 = [9, 0, 2, 5, 1, 6, 4, 11, 7, 10, 3, 8]


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database_url, tmp_path) as door:
        yield door


@pytest.fixture
def work(door: Door) -> PlainPool:
    return PlainPool(door.pool.database, door.pool.store())


def given(door: Door, batch_id: UUID, who: str = "maker", **values: Any) -> UUID:
    """Let a batch be somebody's."""
    values = {"owner_id": door.users[who], **values}
    with door.pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(values))
    return batch_id


@pytest.fixture
def batch(door: Door, work: PlainPool) -> UUID:
    batch_id = work.submit(COUNT)
    work.drain()
    return given(door, batch_id)


@pytest.fixture(scope="module")
def lasting_door(
    lasting_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """For those who only read."""
    with open_door(lasting_database_url, tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture(scope="module")
def lasting_batch(lasting_door: Door) -> UUID:
    work = PlainPool(lasting_door.pool.database, lasting_door.pool.store())
    batch_id = work.submit(COUNT)
    work.drain()
    return given(lasting_door, batch_id)


def get(door: Door, path: str, *, who: str = "maker", **query: Any) -> Any:
    answer = door.client.get(
        f"/api/v1{path}", params=query, headers=door.token(who, Right.READ, Right.POOL)
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def all_pages(door: Door, path: str, what: str, **query: Any) -> list[Any]:
    found, after = [], {}
    for _ in range(100):
        page = get(door, path, **query, **after)
        found += page[what]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}
    raise AssertionError("it never ends")


def test_batches_are_listed_page_by_page_and_only_those_one_may_see(
    door: Door, work: PlainPool
) -> None:
    mine = [given(door, work.submit(1), name=f"b{n}_x%") for n in range(5)]
    given(door, work.submit(1), "colleague")
    shared = given(door, work.submit(1), "colleague", team_id=door.team)
    given(door, work.submit(1), deleted_at=1)
    given(door, work.submit(1), scratch=True)
    found = all_pages(door, "/batches", "batches", limit=2)
    assert [one["id"] for one in found] == [str(one) for one in (shared, *reversed(mine))]
    assert [one["name"] for one in all_pages(door, "/batches", "batches", name="3_x%")] == ["b3_x%"]
    assert get(door, "/batches", owner="colleague")["batches"][0]["id"] == str(shared)
    assert get(door, "/batches", state="done")["batches"] == []
    assert len(get(door, "/batches", state=["done", "active"])["batches"]) == 6


@pytest.mark.parametrize("cursor", ["x", "e30", "WzFd", "W251bGwsbnVsbF0", "é", "[1,2]"])
def test_what_is_no_cursor_is_refused(lasting_door: Door, lasting_batch: UUID, cursor: str) -> None:
    door, batch = lasting_door, lasting_batch
    for path in ("", f"/{batch}/images", f"/{batch}/failures"):
        answer = door.client.get(
            f"/api/v1/batches{path}",
            params={"after": cursor},
            headers=door.token("maker", Right.READ),
        )
        wanted = 200 if (path, cursor) == (f"/{batch}/failures", "WzFd") else 422
        assert answer.status_code == wanted, answer.text


@pytest.mark.parametrize("order", ["newest", "oldest", "name"])
def test_batches_are_listed_in_an_order(door: Door, work: PlainPool, order: str) -> None:
    made = [(name, given(door, work.submit(1), name=name)) for name in ("b", "a", "c", "a")]
    for at, (_, batch) in enumerate(made):
        given(door, batch, created_at=1_000 + at)
    wanted = {
        "newest": list(reversed(made)),
        "oldest": made,
        "name": sorted(made, key=lambda one: (one[0], one[1].bytes)),
    }
    found = all_pages(door, "/batches", "batches", order=order, limit=2)
    assert [(one["name"], UUID(one["id"])) for one in found] == wanted[order]
    cursor = get(door, "/batches", order=order, limit=1)["next"]
    other = "name" if order != "name" else "oldest"
    headers = door.token("maker", Right.READ)
    asked = {"order": other, "after": cursor}
    assert door.client.get("/api/v1/batches", params=asked, headers=headers).status_code == 422


@pytest.mark.parametrize("order", ["seq", "name", "uncertain", "random"])
def test_a_page_may_begin_far_behind_a_cursor(door: Door, batch: UUID, order: str) -> None:
    path = f"/batches/{batch}/images"
    whole = [one["seq"] for one in all_pages(door, path, "images", order=order, limit=5)]
    first = get(door, path, order=order, limit=2)
    far = get(door, path, order=order, after=first["next"], skip=4, limit=3)
    assert [one["seq"] for one in far["images"]] == whole[6:9]
    assert get(door, path, order=order, skip=COUNT)["images"] == []
    for skip in (1, COUNT - 1, COUNT, COUNT + 9):
        assert get(door, path, order=order, skip=skip)["total"] == COUNT, skip


def test_a_refusal_can_quote_half_a_character(door: Door, batch: UUID) -> None:
    headers = {**door.token("maker", Right.CHANGE), "content-type": "application/json"}
    url, body = f"/api/v1/batches/{batch}/reading", rb'{"prompts": {"\ud800": {}}}'
    answer = door.client.put(url, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert rb"reading.prompts.\ud800" in answer.content


def test_a_batch_is_told_once_until_it_changes(door: Door, batch: UUID) -> None:
    headers = door.token("maker", Right.READ, Right.CHANGE)
    path = f"/api/v1/batches/{batch}"
    first = door.client.get(path, headers=headers)
    assert first.json()["done"] == COUNT
    assert [one["name"] for one in first.json()["spec"]["prompts"]] == ["a", "b"]
    again = headers | {"if-none-match": first.headers["etag"]}
    assert door.client.get(path, headers=again).status_code == 304
    assert door.client.patch(path, headers=headers, json={"name": "other"}).status_code == 200
    assert door.client.get(path, headers=again).json()["name"] == "other"


def test_a_batch_is_paused_resumed_and_cancelled(door: Door, work: PlainPool) -> None:
    batch = given(door, work.submit(2))
    headers = door.token("maker", Right.CHANGE)

    def act(what: str) -> Any:
        return door.client.post(f"/api/v1/batches/{batch}/{what}", headers=headers)

    assert act("pause").json()["state"] == "paused"
    refused = act("pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "batch.not_active")
    assert refused.json()["params"] == {"state": "paused"}
    early = act("retry").json()
    assert (early["code"], early["params"]) == ("batch.not_done", {"state": "paused"})
    assert act("resume").json()["state"] == "active"
    assert act("resume").json()["code"] == "batch.not_paused"
    assert act("cancel").json()["state"] == "cancelled"
    late = act("cancel").json()
    assert (late["code"], late["params"]) == ("batch.ended", {"state": "cancelled"})
    assert late["detail"] == f"batch {batch} is cancelled and cannot be cancelled"


def test_there_is_nothing_to_try_again_where_nothing_failed(door: Door, batch: UUID) -> None:
    headers = door.token("maker", Right.CHANGE)
    refused = door.client.post(f"/api/v1/batches/{batch}/retry", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "batch.none_failed")


def test_failures_are_said_with_their_reasons_and_tried_again(door: Door, batch: UUID) -> None:
    with door.pool.database.write() as session:
        failed = {"state": JobState.FAILED, "error": "it is no image"}
        session.execute(
            update(JobRow).where(JobRow.batch_id == batch, JobRow.seq < 5).values(failed)
        )
        counted = {"failed": 5, "done": COUNT - 5}
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(counted))
    found = get(door, f"/batches/{batch}/failures", limit=3)
    assert found["reasons"] == {"it is no image": 3}
    assert len(all_pages(door, f"/batches/{batch}/failures", "failures", limit=2)) == 5
    kinds = get(door, f"/batches/{batch}/failures/kinds")
    assert kinds == [{"kind": "no_image", "images": 5, "example": "it is no image"}]
    assert len(get(door, f"/batches/{batch}/images", state="failed")["images"]) == 5
    answer = door.client.post(
        f"/api/v1/batches/{batch}/retry", headers=door.token("maker", Right.CHANGE)
    )
    assert answer.json() == {"images": 5}


def test_how_a_batch_is_read_has_versions(door: Door, batch: UUID) -> None:
    headers = door.token("maker", Right.READ, Right.CHANGE)
    path = f"/api/v1/batches/{batch}/reading"
    before = door.client.get(path, headers=headers)
    assert before.json()["version"] == 0
    assert get(door, f"/batches/{batch}/counts")["instances"] == {"a": COUNT, "b": COUNT}
    seen = headers | {"if-match": before.headers["etag"]}
    changed = door.client.put(path, headers=seen, json={"threshold": 0.8, "max_against": 1.0})
    assert changed.status_code == 200
    assert changed.json()["version"] == 1
    assert get(door, f"/batches/{batch}/counts")["instances"] == {"a": COUNT, "b": 0}
    late = door.client.put(path, headers=seen, json={"threshold": 0.1})
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    wrong = door.client.put(path, headers=headers, json={"prompts": {"dog": {}}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "reading.no_prompt")
    [only] = get(door, f"/batches/{batch}/reading/history")
    assert (only["version"], only["user"], only["reading"]["threshold"]) == (1, "maker", 0.8)


@pytest.mark.parametrize("order", ["seq", "name", "uncertain", "random"])
def test_images_come_in_each_order_without_a_gap(
    lasting_door: Door, lasting_batch: UUID, order: str
) -> None:
    door, batch = lasting_door, lasting_batch
    path = f"/batches/{batch}/images"
    whole = get(door, path, order=order, seed=7)["images"]
    assert sorted(one["seq"] for one in whole) == list(range(COUNT))
    assert all_pages(door, path, "images", order=order, seed=7, limit=5) == whole
    assert whole[0]["found"] == {"a": 1, "b": 1}


def test_chance_depends_on_its_seed_alone(lasting_door: Door, lasting_batch: UUID) -> None:
    door, batch = lasting_door, lasting_batch

    def order(seed: int) -> list[int]:
        images = get(door, f"/batches/{batch}/images", order="random", seed=seed)["images"]
        return [one["seq"] for one in images]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(6)}) == 6
    assert order(1) == ORDER_OF_SEED_1


def test_images_are_chosen_by_what_counts_in_them(lasting_door: Door, lasting_batch: UUID) -> None:
    door, batch = lasting_door, lasting_batch
    path = f"/batches/{batch}/images"

    def found(**query: Any) -> int:
        return len(get(door, path, **query)["images"])

    assert found(prompt="a") == COUNT
    assert found(prompt="a", found="false") == 0
    assert found(prompt="a", max_score=0.85) == 0, "0.3 lies below the threshold"
    assert found(prompt="b", min_score=0.65, max_score=0.75) == COUNT
    assert found(state="waiting") == 0
    answer = door.client.get(
        f"/api/v1{path}", params={"prompt": "dog"}, headers=door.token("maker", Right.READ)
    )
    assert answer.status_code == 422


def test_more_than_the_most_of_a_prompt_do_not_count(door: Door, batch: UUID) -> None:
    headers = door.token("maker", Right.READ, Right.CHANGE)
    reading = {"threshold": 0.2, "prompts": {"a": {"max_count": 1}}}
    put = door.client.put(f"/api/v1/batches/{batch}/reading", headers=headers, json=reading)
    assert put.status_code == 200
    path = f"/batches/{batch}/images"
    assert get(door, path)["images"][0]["found"] == {"a": 1, "b": 1}
    assert get(door, path, prompt="a", max_score=0.5)["images"] == []
    assert len(get(door, f"{path}/0")["instances"]) == 2


def test_one_image_is_shown_with_its_masks(lasting_door: Door, lasting_batch: UUID) -> None:
    door, batch = lasting_door, lasting_batch
    one = get(door, f"/batches/{batch}/images/3")
    assert (one["name"], one["width"], one["height"]) == ("003.png", SIZE[1], SIZE[0])
    first, second = one["instances"]
    assert (first["category"], first["ordinal"], second["ordinal"]) == ("a", 0, 2)
    mask = rle.decode(rle.Rle(SIZE, first["segmentation"]["counts"]))
    assert mask.sum() == first["area"]
    answer = door.client.get(
        f"/api/v1/batches/{batch}/images/3/masks/2.png", headers=door.token("maker", Right.READ)
    )
    assert answer.headers["content-type"] == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert (drawn == mask).all()
    outline = get(door, f"/batches/{batch}/images/3", masks="polygon")["instances"][0]
    assert outline["polygons"] == [[[2, 1], [2, 4], [7, 4], [7, 1]]]
    assert outline["segmentation"] is None
    none = get(door, f"/batches/{batch}/images/3", masks="none")["instances"][0]
    assert none["segmentation"] is none["polygons"] is None


def test_what_does_not_count_is_shown_to_whoever_tries_other_settings(
    door: Door, batch: UUID
) -> None:
    path = f"/batches/{batch}/images/3"
    stored = get(door, path, which="stored")["instances"]
    assert [(one["ordinal"], one["prompt"], one["counts"]) for one in stored] == [
        (0, 0, True),
        (1, 0, False),
        (2, 1, True),
    ]
    assert [one for one in stored if one["counts"]] == get(door, path)["instances"]
    assert stored[1]["segmentation"]["counts"]
    prompts = get(door, path)["prompts"]
    assert [one["sentence"] for one in prompts] == ["1 found", "1 found"]
    assert [one["presence"] for one in prompts] == [None, None], "the fake segmenter says none"


@pytest.mark.parametrize("path", ["images/99", "images/0/masks/9.png"])
def test_what_is_not_there_is_not_found(lasting_door: Door, lasting_batch: UUID, path: str) -> None:
    door, batch = lasting_door, lasting_batch
    headers = door.token("maker", Right.READ)
    answer = door.client.get(f"/api/v1/batches/{batch}/{path}", headers=headers)
    assert answer.status_code == 404
    gone = door.client.get(f"/api/v1/batches/{new_id()}/{path}", headers=headers)
    assert gone.status_code == 404


def test_each_model_says_how_it_is_usually_read(door: Door, work: PlainPool) -> None:
    work.tick()
    demo, sam3 = get(door, "/models")
    assert (demo["name"], demo["default"], demo["workers"]) == ("demo", True, 1)
    assert (demo["reading"]["max_overlap"], sam3["reading"]["max_overlap"]) == (0.5, None)
    assert (sam3["default"], sam3["workers"]) == (False, 0)


def test_the_pool_says_who_works_and_what_waits(door: Door, work: PlainPool) -> None:
    given(door, work.submit(3))
    work.tick()
    said = get(door, "/pool")
    assert [one["name"] for one in said["workers"]] == ["plain"]
    assert said["queue"] == [{"owner": "maker", "class": "bulk", "batches": 1, "images": 3}]
    assert "no dispatcher" in said["idle"][0]
