"""A task's way through a clerk: outages, bugs, the end of the process, a lease that is lost."""

from __future__ import annotations

import time
from typing import Any

import pytest
from services.clerk_office import Office

from clerk.leases import Holding
from db import removal, tasks
from maskpool.errors import LeaseLost, Unreachable
from maskpool.tasks import TaskKind, TaskState
from producer import tasks as use_cases


def test_an_outage_puts_it_off_and_charges_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unreachable("the object store", "refused")

    task_id = office.ask(TaskKind.EXPIRE, {})
    monkeypatch.setattr("db.sweeping.expired_uploads", away)
    assert "put off" in office.run(task_id)
    row = office.row(task_id)
    assert (row.state, row.attempts) == (TaskState.WAITING, 0)
    assert row.next_at is not None
    assert "unreachable" in (row.error or "")
    assert row.problem is not None
    assert (row.problem["code"], row.problem["params"]) == (
        "service.away",
        {"service": "the object store"},
    )


def test_a_bug_is_told_and_not_tried_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.sweeping.expired_uploads", lambda _: 1 // 0)
    task_id = office.ask(TaskKind.EXPIRE, {})
    assert "a bug in maskpool" in office.failed(task_id)
    assert (office.row(task_id).problem or {})["code"] == "task.bug"


def test_a_clerk_that_stops_gives_back_what_it_has(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BLOCK", 7)
    task_id = office.delete(office.work.submit(40))
    step = Holding.step

    def drained(holding: Holding, **progress: Any) -> None:
        if progress:
            office.keeper.drain()
        step(holding, **progress)

    monkeypatch.setattr(Holding, "step", drained)
    assert "given back" in office.run(task_id)
    row = office.row(task_id)
    assert (row.state, row.attempts, row.error) == (TaskState.WAITING, 0, None)
    assert "not taken" in office.run(task_id)


def test_a_heartbeat_keeps_the_lease_and_tells_of_a_loss(office: Office) -> None:
    task_id = office.ask(TaskKind.EXPIRE, {})
    with office.pool.database.write() as session:
        task = tasks.take(session, task_id, lease_ms=50)
    assert task is not None
    holding = office.keeper.hold(task, time.monotonic())
    holding.step(done=1)
    office.keeper._beat()
    assert office.row(task_id).progress == {"done": 1}
    use_cases.cancel(office.pool, task_id)
    office.keeper._beat()
    with pytest.raises(LeaseLost):
        holding.step()
