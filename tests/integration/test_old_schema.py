"""From the previous schema with a pool at work in it: nothing is lost, and the work goes on."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from services.old_world import OldWorld, read, write
from services.plain_pool import PlainPool
from sqlalchemy import create_engine, inspect

from db import batches, lookup, tasks
from db.schema import alembic_config, head_revision, upgrade
from db.session import Database
from db.task_problems import Why
from db.urls import normalised
from maskpool.domain import BatchState, ChunkMessage, ChunkState, JobState, Klass
from maskpool.tasks import TaskState
from producer.dispatch.tick import tick
from producer.integrity.check import verify
from producer.integrity.findings import Tally
from storage.objects import open_store

#: What was written down of each schema; older ones stay, as nobody has to upgrade every time.
WORLDS = ("0002", "0003", "0004", "0005", "0006")
PREVIOUS = WORLDS[-1]


@pytest.fixture(params=["sqlite", "postgres"])
def old_url(request: pytest.FixtureRequest, world: OldWorld, tmp_path: Path) -> str:
    """URL of a database at the world's schema, without a row."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    else:
        url = str(request.getfixturevalue("empty_postgres_url"))
    command.upgrade(alembic_config(url), world.revision)
    return url


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> OldWorld:
    return OldWorld(request.param)


def same(url: str, world: OldWorld) -> bool:
    return all(
        ordered(read(url, table, list(rows[0]))) == ordered(rows)
        for table, rows in world.rows.items()
    )


def ordered(rows: list[dict[str, object]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rounded(rows))


def rounded(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Truth values as numbers, and scores as four bytes hold them."""
    return [
        {
            name: int(value)
            if isinstance(value, bool)
            else round(value, 5)
            if isinstance(value, float)
            else value
            for name, value in row.items()
        }
        for row in rows
    ]


def test_the_world_is_a_busy_one(world: OldWorld) -> None:
    def states(table: str) -> set[object]:
        return {row["state"] for row in world.rows[table]}

    assert states("batches") == set(BatchState)
    assert states("jobs") == set(JobState)
    assert states("chunks") == set(ChunkState) - {ChunkState.CANCELLED}
    assert all(world.rows.values())
    assert "tasks" not in world.rows or states("tasks") == set(TaskState)


def test_an_upgrade_loses_no_row_and_changes_none(old_url: str, world: OldWorld) -> None:
    world.fill(old_url)
    assert same(old_url, world), "the comparison itself"
    upgrade(old_url)
    assert same(old_url, world)


def test_what_older_code_writes_the_new_schema_takes(database_url: str, world: OldWorld) -> None:
    """Expand: while old and new processes run side by side, both must be able to write."""
    world.fill(database_url)
    assert same(database_url, world)


def test_a_batch_that_was_running_is_finished_after_the_upgrade(
    old_url: str, world: OldWorld, folder_store_url: str
) -> None:
    world.fill(old_url)
    upgrade(old_url)
    database, store = Database(old_url), open_store(folder_store_url)
    world.put_objects(store)
    pool = PlainPool(database, store)
    assert [one for one in verify(database, store) if one.wrong] == []

    in_hand = world.one("chunks", state=ChunkState.RUNNING, solo=False)
    survivor = PlainPool(database, store, worker_id=UUID(in_hand["worker"]))
    batch_id, chunk_id = UUID(in_hand["batch_id"]), UUID(in_hand["id"])
    survivor.work(ChunkMessage(batch_id, chunk_id, "demo", Klass.BULK, in_hand["size"], False))

    pool.tick()
    messages: list[ChunkMessage] = []
    tick(database, messages.extend, broker_forgot=True)
    for message in messages:
        pool.work(message)
    pool.drain()
    with database.write() as session:
        batches.resume(session, UUID(world.one("batches", state=BatchState.PAUSED)["id"]))
        batches.activate(session, UUID(world.one("batches", state=BatchState.LOADING)["id"]))
    pool.drain()

    with database.read() as session:
        ended = {one.batch_id: one for one in lookup.recent(session, limit=100)}
    for row in world.rows["batches"]:
        batch = ended[UUID(row["id"])]
        cancelled = row["state"] == BatchState.CANCELLED
        assert batch.state == (BatchState.CANCELLED if cancelled else BatchState.DONE)
        assert batch.failed == row["failed"], "nobody was charged for the upgrade"
        if not cancelled:
            assert batch.done + batch.failed == row["loaded"]
    tally = Tally()
    assert [one for one in verify(database, store, tally=tally) if one.wrong] == []
    assert tally.jobs == len(world.rows["jobs"])
    database.close()


def test_why_a_task_failed_is_still_said_after_the_upgrade(old_url: str, world: OldWorld) -> None:
    """A sentence alone: older code wrote no code beside it."""
    world.fill(old_url)
    upgrade(old_url)
    database = Database(old_url)
    with database.read() as session:
        found = {str(row.id): Why.of(row) for row in tasks.listing(session, team_ids=None)}
    written = {
        row["id"]: row["error"] and Why("", row["error"], {}) for row in world.rows.get("tasks", ())
    }
    assert found == written
    database.close()


def test_the_world_is_of_the_schema_before_the_last(tmp_path: Path) -> None:
    """After a new migration, a world of the schema before it is to be written down as well."""
    url = f"sqlite:///{tmp_path / 'at.sqlite'}"
    command.upgrade(alembic_config(url), PREVIOUS)
    command.upgrade(alembic_config(url), "+1")
    engine = create_engine(normalised(url))
    with engine.connect() as connection:
        now = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    engine.dispose()
    assert now == head_revision(), f"PREVIOUS is {PREVIOUS}, and that is not the one before {now}"


def test_a_row_that_does_not_fit_is_refused(database_url: str, world: OldWorld) -> None:
    """The comparison would not notice a loader that writes nothing."""
    engine = create_engine(normalised(database_url))
    [row, *_] = world.rows["workers"]
    with engine.connect() as connection:
        assert {column["name"] for column in inspect(connection).get_columns("workers")} >= set(row)
        with pytest.raises(Exception, match=r"(?i)nonesuch"):
            write(connection, "workers", {**row, "nonesuch": 1})
    engine.dispose()
