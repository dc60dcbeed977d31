"""Why a task failed or waits: a code and parameters, written by a clerk and read at the door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.clerk_office import zipped
from services.door import Door, open_door
from sqlalchemy import update

from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from db.models import TaskRow
from maskpool.domain import new_id
from maskpool.errors import Unreachable
from producer.accounts.rights import Right


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database_url, tmp_path) as door:
        yield door


@pytest.fixture
def headers(door: Door) -> dict[str, str]:
    return door.token("maker", *Right)


def worked_on(door: Door, headers: dict[str, str], task: str) -> dict[str, Any]:
    """A task as the door shows it once a clerk had it."""
    keeper = TaskKeeper(
        door.pool.database, new_id(), "here:1", lease_seconds=30.0, heartbeat_seconds=0.1
    )
    TaskRunner(door.pool, keeper).run(UUID(task))
    answer = door.client.get(f"/api/v1/tasks/{task}", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def export_of_a_batch(door: Door, headers: dict[str, str]) -> tuple[str, str]:
    """A batch that goes on, and the task that is to export it."""
    upload = door.client.post("/api/v1/uploads", json={"name": "up"}, headers=headers).json()["id"]
    door.client.put(f"/api/v1/uploads/{upload}/files/a.png", content=b"png", headers=headers)
    body = {"spec": {"prompts": ["bus"]}, "source": {"uploads": [upload]}}
    batch = door.client.post("/api/v1/batches", json=body, headers=headers)
    assert batch.status_code == 201, batch.text
    asked = {"batches": [batch.json()["id"]]}
    task = door.client.post("/api/v1/exports", json=asked, headers=headers)
    return batch.json()["id"], task.json()["task"]


def test_an_export_of_what_goes_on_says_so_by_a_code(door: Door, headers: dict[str, str]) -> None:
    batch, task = export_of_a_batch(door, headers)
    told = worked_on(door, headers, task)
    assert told["state"] == "failed"
    params = {"batch": batch, "missing": 1, "total": 1, "option": "partial"}
    assert told["problem"] == {
        "code": "export.unfinished",
        "detail": told["error"],
        "params": params,
    }
    assert told["error"].endswith("ask for a partial dataset (partial)")
    [listed] = door.client.get("/api/v1/tasks", headers=headers).json()["tasks"]
    assert listed["problem"] == told["problem"]


def test_an_archive_that_is_refused_names_itself_and_the_member(
    door: Door, headers: dict[str, str]
) -> None:
    upload = door.client.post("/api/v1/uploads", json={"name": "up"}, headers=headers).json()["id"]
    content = zipped({"aaaa.png": b"png"}).replace(b"aaaa.png", b"../b.png")
    answer = door.client.put(
        f"/api/v1/uploads/{upload}/files/all.zip", content=content, headers=headers
    )
    problem = worked_on(door, headers, answer.json()["task"])["problem"]
    assert problem["code"] == "archive.member"
    assert problem["params"] == {"source": "all.zip", "member": "'../b.png'"}


def test_a_task_that_waits_for_a_service_names_it(
    door: Door, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unreachable("the object store", "refused")

    _, task = export_of_a_batch(door, headers)
    monkeypatch.setattr("clerk.work.export.export", away)
    told = worked_on(door, headers, task)
    assert (told["state"], told["problem"]["code"]) == ("waiting", "service.away")
    assert told["problem"]["params"] == {"service": "the object store"}


def test_what_an_earlier_version_wrote_still_reads(door: Door, headers: dict[str, str]) -> None:
    _, task = export_of_a_batch(door, headers)
    worked_on(door, headers, task)
    with door.pool.database.write() as session:
        session.execute(update(TaskRow).values(error="a sentence alone", problem=None))
    told = door.client.get(f"/api/v1/tasks/{task}", headers=headers).json()
    assert (told["error"], told["problem"]) == ("a sentence alone", None)
