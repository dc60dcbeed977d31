"""What was deleted at the door can be had back for a day, and goes after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.door import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import select, update

from db import batches, sweeping, tasks
from db.models import BatchRow, JobRow, TaskRow
from maskpool.domain import JobState
from maskpool.tasks import TRASH_MS, TaskState
from producer import batches as use_cases
from producer.accounts.rights import Right
from producer.integrity import check

ALL = (Right.READ, Right.DELETE, Right.CHANGE)


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database_url, tmp_path) as door:
        yield door


@pytest.fixture
def work(door: Door) -> PlainPool:
    return PlainPool(door.pool.database, door.pool.store())


def of_the_maker(door: Door, batch_id: UUID) -> UUID:
    values = {"owner_id": door.users["maker"], "team_id": door.team}
    with door.pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(values))
    return batch_id


def send(door: Door, method: str, path: str, who: str = "maker") -> Any:
    return door.client.request(method, f"/api/v1{path}", headers=door.token(who, *ALL))


def trash(door: Door, who: str = "maker") -> list[str]:
    return [one["id"] for one in send(door, "GET", "/trash", who).json()["batches"]]


def test_a_batch_is_had_back_as_it_was(door: Door, work: PlainPool) -> None:
    batch = of_the_maker(door, work.submit(3))
    work.drain()
    before = send(door, "GET", f"/batches/{batch}").json()
    task = send(door, "DELETE", f"/batches/{batch}").json()["task"]
    assert send(door, "GET", f"/batches/{batch}").status_code == 404
    [listed] = send(door, "GET", "/trash").json()["batches"]
    assert (listed["id"], listed["done"]) == (str(batch), 3)
    assert listed["until"] > listed["deleted_at"]
    with door.pool.database.read() as session:
        row = session.get(TaskRow, UUID(task))
        deleted_at = session.scalar(select(BatchRow.deleted_at)) or 0
        assert row is not None
        assert abs((row.next_at or 0) - deleted_at - TRASH_MS) < 5_000
        assert tasks.take(session, row.id, lease_ms=1) is None, "no clerk has it before its time"
    restored = send(door, "POST", f"/trash/{batch}/restore")
    assert restored.status_code == 200, restored.text
    after = send(door, "GET", f"/batches/{batch}").json()
    assert after == before
    assert trash(door) == []
    assert send(door, "POST", f"/trash/{batch}/restore").status_code == 404
    assert list(check.verify(door.pool.database, door.pool.store())) == []
    assert len(send(door, "GET", f"/batches/{batch}/images/0").json()["instances"]) == 2


def test_one_that_was_at_work_comes_back_cancelled(door: Door, work: PlainPool) -> None:
    batch = of_the_maker(door, work.submit(9))
    message, *_ = work.tick()
    work.work(message)
    work.tick()
    send(door, "DELETE", f"/batches/{batch}")
    assert work.tick() == []
    assert send(door, "POST", f"/trash/{batch}/restore").json()["state"] == "cancelled"
    with door.pool.database.read() as session:
        states = set(session.scalars(select(JobRow.state).where(JobRow.batch_id == batch)))
    assert states == {JobState.DONE, JobState.CANCELLED}
    work.tick()
    assert list(check.verify(door.pool.database, door.pool.store())) == []


def test_its_time_is_over_once_the_clerk_has_it(door: Door, work: PlainPool) -> None:
    batch = of_the_maker(door, work.submit(1))
    task = UUID(send(door, "DELETE", f"/batches/{batch}").json()["task"])
    with door.pool.database.write() as session:
        session.execute(update(BatchRow).values(deleted_at=BatchRow.deleted_at - TRASH_MS))
    with door.pool.database.read() as session:
        assert sweeping.broken_off_deletions(session) == [], "the sweep waits for the task"
    with door.pool.database.write() as session:
        session.execute(update(TaskRow).values(next_at=1))
        assert tasks.take(session, task, lease_ms=60_000)
    assert trash(door) == []
    assert send(door, "POST", f"/trash/{batch}/restore").status_code == 404
    with door.pool.database.write() as session:  # and it is no one's who died at it
        session.execute(update(TaskRow).values(state=TaskState.WAITING, next_at=2**50))
    assert send(door, "POST", f"/trash/{batch}/restore").status_code == 404


def test_a_batch_of_the_trash_is_cleared_away_at_once(door: Door, work: PlainPool) -> None:
    batch = of_the_maker(door, work.submit(1))
    task = send(door, "DELETE", f"/batches/{batch}").json()["task"]
    assert send(door, "POST", f"/tasks/{task}/cancel").json()["code"] == "task.deletes"
    assert send(door, "DELETE", f"/trash/{batch}").json() == {"task": task}
    assert trash(door) == []
    with door.pool.database.write() as session:
        assert tasks.take(session, UUID(task), lease_ms=1)


def test_who_sees_the_trash(door: Door, work: PlainPool) -> None:
    found = [str(of_the_maker(door, work.submit(1))) for _ in range(3)]
    for batch in found:
        send(door, "DELETE", f"/batches/{batch}")
    for who in ("maker", "colleague", "viewer", "owner", "admin"):
        assert trash(door, who) == found[::-1]
    for who in ("of no team", "other team's owner"):
        assert trash(door, who) == []
    first = send(door, "GET", "/trash?limit=2").json()
    rest = send(door, "GET", f"/trash?limit=2&after={first['next']}").json()
    assert [one["id"] for one in (*first["batches"], *rest["batches"])] == found[::-1]
    assert rest["next"] is None


def test_what_the_shell_removes_never_lies_in_the_trash(door: Door, work: PlainPool) -> None:
    batch = of_the_maker(door, work.submit(1))
    with door.pool.database.write() as session:
        batches.cancel(session, batch)
    use_cases.remove(door.pool, batch)
    assert trash(door) == []
    assert send(door, "POST", f"/trash/{batch}/restore").status_code == 404
