"""The clerk's tasks as rows, on both databases: leases, fences, what is published when."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text, update

from db import services, tasks, ticks
from db.clock import now_ms
from db.models import TaskRow
from db.session import Database
from db.task_problems import Why
from db.tasks import TakenTask
from maskpool.domain import new_id
from maskpool.errors import Conflict, LeaseLost, NotFound
from maskpool.tasks import MAX_TAKES, TaskKind, TaskMessage, TaskState
from producer.dispatch.tick import tick

LEASE_MS = 30_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.write() as session:
        services.announce(session, new_id(), services.CLERK, "here:1")
    yield database
    database.close()


def created(database: Database, kind: TaskKind = TaskKind.DELETE) -> UUID:
    with database.write() as session:
        return tasks.create(session, kind, {"n": 1}, user_id=None, team_id=None, batch_id=None)


def taken(database: Database, task_id: UUID, *, lease_ms: int = LEASE_MS) -> TakenTask:
    with database.write() as session:
        held = tasks.take(session, task_id, lease_ms=lease_ms)
    assert held is not None
    return held


def row(database: Database, task_id: UUID) -> TaskRow:
    with database.read() as session:
        found = tasks.find(session, task_id)
    assert found is not None
    return found


def published(database: Database, *, broker_forgot: bool = False) -> list[UUID]:
    sent: list[TaskMessage] = []
    tick(database, lambda _: None, send_tasks=sent.extend, broker_forgot=broker_forgot)
    return [message.task_id for message in sent]


def test_it_is_published_once_and_taken_once(database: Database) -> None:
    task_id = created(database)
    assert published(database) == [task_id]
    assert published(database) == []
    held = taken(database, task_id)
    assert (held.kind, held.args, held.attempts) == (TaskKind.DELETE, {"n": 1}, 1)
    with database.write() as session:
        assert tasks.take(session, task_id, lease_ms=LEASE_MS) is None
    with database.write() as session:
        tasks.extend(session, task_id, held.lease_id, lease_ms=LEASE_MS, progress={"done": 3})
    assert row(database, task_id).progress == {"done": 3}
    with database.write() as session:
        tasks.finish(session, task_id, held.lease_id, {"rows": 7})
    ended = row(database, task_id)
    assert (ended.state, ended.result, ended.lease_until) == (TaskState.DONE, {"rows": 7}, None)
    assert ended.expires_at is not None
    assert ended.finished_at is not None
    with database.read() as session:
        assert not ticks.anything_to_do(session)


def test_nothing_is_published_while_no_clerk_lives(database: Database) -> None:
    with database.write() as session:
        session.execute(text("DELETE FROM services"))
    created(database)
    assert published(database) == []
    with database.read() as session:
        assert not ticks.anything_to_do(session)


def test_a_lost_broker_has_it_published_again(database: Database) -> None:
    task_id = created(database)
    assert published(database) == [task_id]
    assert published(database, broker_forgot=True) == [task_id]


def test_a_message_that_nobody_takes_is_sent_again_ever_later(database: Database) -> None:
    task_id = created(database)
    published(database)
    for since_sent, of_age, again in ((29, 0, False), (31, 0, True), (61, 90, False)):
        with database.write() as session:
            session.execute(
                update(TaskRow).values(
                    created_at=now_ms() - 1000 * (since_sent + of_age),
                    published_at=now_ms() - 1000 * since_sent,
                )
            )
        assert (published(database) == [task_id]) is again


def test_a_lapsed_lease_gives_it_to_another_and_refuses_the_late_one(database: Database) -> None:
    task_id = created(database)
    late = taken(database, task_id, lease_ms=-1)
    assert published(database) == [task_id]
    held = taken(database, task_id)
    assert held.attempts == 2
    for lease_id in (late.lease_id, new_id()):
        with pytest.raises(LeaseLost), database.write() as session:
            tasks.finish(session, task_id, lease_id, {})
        with pytest.raises(LeaseLost), database.write() as session:
            tasks.extend(session, task_id, lease_id, lease_ms=LEASE_MS)
        with pytest.raises(LeaseLost), database.write() as session:
            tasks.require_mine(session, task_id, lease_id)
    with database.write() as session:
        tasks.require_mine(session, task_id, held.lease_id, batch_id=held.id)
        tasks.finish(session, task_id, held.lease_id, {"by": "the second"})
    assert row(database, task_id).batch_id == held.id


def test_what_kills_its_clerk_each_time_ends_with_a_sentence(database: Database) -> None:
    task_id = created(database)
    for _ in range(MAX_TAKES):
        taken(database, task_id, lease_ms=-1)
        published(database)
    ended = row(database, task_id)
    assert ended.state == TaskState.FAILED
    assert f"each of the {MAX_TAKES} times" in (ended.error or "")
    why = Why.of(ended)
    assert why is not None
    assert (why.code, why.params) == ("task.lost", {"times": MAX_TAKES})
    assert published(database) == []


def test_what_earlier_code_writes_beside_a_code_counts_alone(database: Database) -> None:
    """It knows no problems, and leaves that of an earlier try where it is."""
    task_id = created(database)
    held = taken(database, task_id)
    with database.write() as session:
        why = Why("service.away", "the store is away", {})
        tasks.put_off(session, task_id, held.lease_id, delay_ms=0, why=why)
        session.execute(update(TaskRow).values(error="no zip"))
    assert Why.of(row(database, task_id)) == Why("", "no zip", {})


def test_what_comes_right_in_the_end_has_no_problem(database: Database) -> None:
    task_id = created(database)
    held = taken(database, task_id)
    with database.write() as session:
        why = Why("service.away", "away", {})
        tasks.put_off(session, task_id, held.lease_id, delay_ms=0, why=why)
    again = taken(database, task_id)
    with database.write() as session:
        tasks.finish(session, task_id, again.lease_id, {})
    assert Why.of(row(database, task_id)) is None
    assert row(database, task_id).problem is None


@pytest.mark.parametrize(("charge", "attempts"), [(True, 1), (False, 0)])
def test_put_off_it_waits_and_is_published_then(
    database: Database, charge: bool, attempts: int
) -> None:
    task_id = created(database)
    held = taken(database, task_id)
    with database.write() as session:
        why = Why("service.away", "away\0", {"service": "the store"})
        tasks.put_off(session, task_id, held.lease_id, delay_ms=60_000, why=why, charge=charge)
    waiting = row(database, task_id)
    assert Why.of(waiting) == why._replace(detail="away\\x00")
    assert (waiting.state, waiting.error, waiting.attempts) == (0, "away\\x00", attempts)
    assert published(database) == []
    with database.write() as session:
        assert tasks.take(session, task_id, lease_ms=LEASE_MS) is None
        session.execute(update(TaskRow).values(next_at=1))
    assert published(database) == [task_id]


def test_cancelled_it_is_lost_to_its_clerk(database: Database) -> None:
    task_id = created(database, TaskKind.EXPORT)
    held = taken(database, task_id)
    with database.write() as session:
        tasks.cancel(session, task_id)
    with pytest.raises(LeaseLost), database.write() as session:
        tasks.extend(session, task_id, held.lease_id, lease_ms=LEASE_MS)
    with pytest.raises(Conflict, match="is cancelled"), database.write() as session:
        tasks.cancel(session, task_id)
    with pytest.raises(NotFound), database.write() as session:
        tasks.cancel(session, new_id())
    deletion = created(database, TaskKind.DELETE)
    with pytest.raises(Conflict, match="trash"), database.write() as session:
        tasks.cancel(session, deletion)


def test_an_idle_tick_asks_by_the_index(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.read() as session:
        asked = ticks._ANYTHING_TO_DO.compile(
            session.get_bind(), compile_kwargs={"render_postcompile": True}
        )
        plan = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {asked}", tuple(asked.params[name] for name in asked.positiontup)
        )
        steps = [step.detail for step in plan if "tasks" in step.detail]
    database.close()
    assert steps
    assert all("ix_tasks_open" in step for step in steps), steps
