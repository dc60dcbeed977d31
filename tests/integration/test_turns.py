"""Whose turn it is when clocks lie far apart: who was alone, who comes back, whose images fail."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import select, update

from db import batches, chunks, jobs, ticks, workers
from db.batches import NewBatch
from db.chunks import Done, Failed, fold
from db.models import BatchRow, UserRow
from db.session import Database
from db.workers import WorkerInfo
from maskpool.domain import ChunkMessage, ImageRef, new_id
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "cone"}]})
WORKER = WorkerInfo(new_id(), "host:1", "cpu", "demo", threads=3, images_per_s=2.0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    with database.write() as session:
        workers.announce(session, WORKER)
    yield database
    database.close()


def a_batch(database: Database, owner: str, count: int = 400, model: str = "demo") -> UUID:
    new = NewBatch(owner, str(new_id()), "name", model, SPEC.dump(), "source")
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        images = [ImageRef(f"{n}.png", f"file:///{n}.png") for n in range(count)]
        jobs.load_block(session, batch_id, 0, images)
        batches.activate(session, batch_id)
    return batch_id


def turns(database: Database, count: int, *, failing: UUID | None = None) -> list[UUID]:
    """Whose the next chunks are; each is worked through at once, or fails as a whole."""
    whose: list[UUID] = []
    while len(whose) < count:
        sent: list[ChunkMessage] = []
        tick(database, sent.extend)
        for message in sent:
            whose.append(message.batch_id)
            work(database, message, fails=message.batch_id == failing)
    return whose[:count]


def work(database: Database, message: ChunkMessage, *, fails: bool) -> None:
    with database.write() as session:
        taken = chunks.take(session, message.chunk_id, WORKER.id, solo=False, lease_ms=30_000)
    assert taken is not None
    error = "there is no file where the worker runs"
    ends = [
        Failed(job.seq, error) if fails else Done(job.seq, "k", 0, 1, 8, 6) for job in taken.jobs
    ]
    spent = 0.0 if fails else 0.5 * len(ends)
    with database.write() as session:
        chunks.finish(session, WORKER.id, message.chunk_id, ends, gpu_seconds=spent)


def clock(database: Database, owner: str, seconds: float) -> None:
    with database.write() as session:
        session.execute(update(UserRow).where(UserRow.name == owner).values(virtual_time=seconds))


def end(database: Database, batch_id: UUID) -> None:
    with database.write() as session:
        batches.cancel(session, batch_id)


def test_who_had_the_pool_alone_does_not_wait_for_a_newcomer_to_catch_up(
    database: Database,
) -> None:
    end(database, a_batch(database, "heavy"))
    clock(database, "heavy", 100_000.0)
    newcomers = a_batch(database, "newcomer")
    turns(database, 10)
    heavys = a_batch(database, "heavy")
    following = turns(database, 20)
    assert heavys in following[:3]
    assert abs(following.count(heavys) - following.count(newcomers)) <= 2


def test_an_empty_pool_forgets_no_debt(database: Database) -> None:
    """Nobody gets ahead of the others by being the first to come."""
    end(database, a_batch(database, "heavy"))
    clock(database, "heavy", 100.0)
    a_batch(database, "newcomer")
    with database.read() as session:
        times = dict(session.execute(select(UserRow.name, UserRow.virtual_time)).all())
    assert times == {"heavy": 100.0, "newcomer": 100.0}


def test_who_waits_for_a_worker_of_their_model_holds_no_clock_back(database: Database) -> None:
    """Else everybody who comes would start where that one stopped, before all who are served."""
    a_batch(database, "waiting", model="nobody serves this")
    steadys = a_batch(database, "steady")
    clock(database, "steady", 5_000.0)
    for comer in ("waiting", "new"):
        batch = a_batch(database, comer)
        following = turns(database, 10)
        assert following.count(batch) <= following.count(steadys) + 2, comer
        end(database, batch)


@pytest.mark.parametrize("back", ["resumed", "retried"])
def test_a_batch_that_comes_back_does_not_wait_for_the_others_to_catch_up(
    database: Database, back: str
) -> None:
    old = a_batch(database, "ann", 40)
    if back == "resumed":
        with database.write() as session:
            batches.pause(session, old)
    else:
        turns(database, 10, failing=old)
        with database.write() as session:
            held = ticks.hold_batches(session)
            fold.fold(session, held)
            fold.end_batches(session, held)
    with database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == old).values(virtual_time=100_000.0))
    new = a_batch(database, "ann")
    with database.write() as session:  # it came while the old one did not count
        session.execute(update(BatchRow).where(BatchRow.id == new).values(virtual_time=7.0))
    with database.write() as session:
        batches.resume(session, old) if back == "resumed" else batches.retry_failed(session, old)
    following = turns(database, 8)
    assert old in following[:3]
    assert abs(following.count(old) - following.count(new)) <= 2


def test_a_batch_whose_images_all_fail_does_not_keep_the_pool(database: Database) -> None:
    """Its chunks take no time of the device, but their places from others."""
    broken, sound = a_batch(database, "ann"), a_batch(database, "ben")
    whose = turns(database, 40, failing=broken)
    assert abs(whose.count(broken) - whose.count(sound)) <= 4
