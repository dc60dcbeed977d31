"""What a worker's death sets going: lost messages are sent again, and only a true loss counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from services.plain_pool import PlainPool
from sqlalchemy import select, text, update

from db import batches
from db.chunks import publish, reap
from db.models import ChunkRow, InstanceRow, JobRow, WorkerRow
from db.session import Database
from maskpool.domain import MAX_LOSSES, ChunkMessage, JobState, new_id
from maskpool.errors import Unreachable
from producer.dispatch import loop
from producer.dispatch.broker import Broker
from producer.dispatch.loop import Dispatcher
from producer.dispatch.tick import Tick, tick
from producer.integrity.check import verify
from storage.objects import open_store

LEASE_MS = 30_000


@pytest.fixture
def pool(database_url: str, folder_store_url: str) -> Iterator[PlainPool]:
    database = Database(database_url)
    yield PlainPool(database, open_store(folder_store_url))
    database.close()


def age_messages(pool: PlainPool, ms: int) -> None:
    with pool.database.write() as session:
        session.execute(update(ChunkRow).values(published_at=ChunkRow.published_at - ms))


def lapse(pool: PlainPool) -> None:
    """All leases are over, and nobody was seen for a minute."""
    with pool.database.write() as session:
        session.execute(update(ChunkRow).values(lease_until=1))
        session.execute(update(WorkerRow).values(seen_at=WorkerRow.seen_at - 60_000))


def jobs(pool: PlainPool, batch_id: UUID) -> list[tuple[JobState, int]]:
    with pool.database.read() as session:
        rows = session.execute(
            select(JobRow.state, JobRow.losses)
            .where(JobRow.batch_id == batch_id)
            .order_by(JobRow.seq)
        )
        return [(JobState(state), losses) for state, losses in rows]


def test_messages_that_a_dead_worker_may_have_held_are_sent_again(pool: PlainPool) -> None:
    pool.submit(8)
    taken, waiting = pool.tick()
    pool.take(taken, lease_ms=-1)
    age_messages(pool, LEASE_MS // 2 + 1_000)
    again = [message.chunk_id for message in pool.tick()]
    assert waiting.chunk_id in again
    assert pool.tick() == [], "once"


def test_messages_sent_since_then_are_not(pool: PlainPool) -> None:
    pool.submit(8)
    taken, waiting = pool.tick()
    pool.take(taken, lease_ms=-1)
    age_messages(pool, LEASE_MS // 2 - 5_000)
    assert waiting.chunk_id not in [message.chunk_id for message in pool.tick()]


def test_while_nobody_dies_a_message_has_its_time(pool: PlainPool) -> None:
    pool.submit(8)
    first, _ = pool.tick()
    pool.take(first)
    age_messages(pool, LEASE_MS - 5_000)
    assert pool.tick() == []


def test_doubt_starts_the_patience_anew(pool: PlainPool) -> None:
    pool.submit(4)
    [message] = pool.tick()
    with pool.database.write() as session:
        session.execute(update(ChunkRow).values(publishes=6))
    sent: list[ChunkMessage] = []
    tick(pool.database, sent.extend, broker_forgot=True)
    assert sent == [message]
    with pool.database.read() as session:
        assert session.scalars(select(ChunkRow.publishes)).all() == [1]


def lose_alone(pool: PlainPool, *, charge: bool) -> None:
    """The only job's worker dies while it runs alone."""
    pool.take(pool.tick()[0])
    lapse(pool)
    with pool.database.write() as session:
        assert reap.reap_one(session, LEASE_MS, charge=charge)


def test_a_loss_while_the_database_was_away_is_nobodys_fault(pool: PlainPool) -> None:
    batch = pool.submit(1)
    lose_alone(pool, charge=True)  # with others, as far as anybody knows: from now on it is solo
    for _ in range(MAX_LOSSES + 1):
        lose_alone(pool, charge=False)
    assert jobs(pool, batch) == [(JobState.RETRY, 0)]
    for _ in range(MAX_LOSSES):
        lose_alone(pool, charge=True)
    assert jobs(pool, batch) == [(JobState.FAILED, MAX_LOSSES)]


def test_an_image_that_kills_its_workers_fails_with_its_objects_and_no_other(
    pool: PlainPool,
) -> None:
    batch_id = pool.submit(6, objects=True)

    def work_until_it_ends(*, deadly: int) -> None:
        for _ in range(20):
            for message in pool.tick():
                taken = pool.take(message)
                if deadly in [job.seq for job in taken.jobs]:
                    lapse(pool)
                    pool.worker_id = new_id()  # it died, and another comes
                else:
                    pool.finish(taken, *pool.upload(taken))

    def drawn() -> dict[int, list[int]]:
        with pool.database.read() as session:
            objects = InstanceRow.object_index.is_not(None)
            found: dict[int, list[int]] = {}
            for row in session.scalars(
                select(InstanceRow).where(objects).order_by(InstanceRow.ordinal)
            ):
                found.setdefault(row.seq, []).append(row.object_index or 0)
            return found

    work_until_it_ends(deadly=2)

    done = (JobState.DONE, 0)
    assert jobs(pool, batch_id) == [done, done, (JobState.FAILED, MAX_LOSSES), done, done, done]
    assert drawn() == {seq: [0, 1, 2] for seq in range(6) if seq != 2}
    with pool.database.write() as session:
        assert batches.retry_failed(session, batch_id) == 1
    pool.drain()
    assert jobs(pool, batch_id) == [done] * 6
    assert drawn() == {seq: [0, 1, 2] for seq in range(6)}
    assert list(verify(pool.database, pool.store)) == []


def test_the_dispatcher_charges_nobody_for_a_lease_after_an_outage(
    redis_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, database = Broker(redis_url), Database(sqlite_url)
    lease_seconds = 0.5
    dispatcher = Dispatcher(database, broker, tick_seconds=0.05, lease_seconds=lease_seconds)
    stop = threading.Event()
    told: list[tuple[float, bool]] = []

    def tick(*_: object, charge_losses: bool, **__: object) -> Tick:
        told.append((time.monotonic(), charge_losses))
        if len(told) == 3:
            raise Unreachable("the database", "gone for a moment")
        if len(told) > 4 and charge_losses:
            stop.set()
        return Tick()

    monkeypatch.setattr(loop, "tick", tick)
    dispatcher.run(stop)
    assert [charge for _, charge in told[:4]] == [True, True, True, False]
    assert told[-1][0] - told[2][0] >= lease_seconds
    assert not any(charge for _, charge in told[3:-1])
    broker.close()
    database.close()


def test_messages_of_a_model_that_nobody_serves_keep_no_others_out(pool: PlainPool) -> None:
    pool.submit(4)
    [message] = pool.tick()
    with pool.database.write() as session:
        session.execute(update(ChunkRow).values(published_at=0, publishes=0))
        assert publish.unpublished(session, ["another"], limit=1) == []
        assert publish.unpublished(session, ["demo", "another"], limit=1) == [message]


def test_a_batch_that_somebody_holds_stops_no_other(
    postgres_url: str, folder_store_url: str
) -> None:
    """Cancelling a million jobs takes a while."""
    database = Database(postgres_url)
    pool = PlainPool(database, open_store(folder_store_url))
    held, other = pool.submit(4), pool.submit(4)
    with database.write() as session:
        session.execute(text("SET LOCAL lock_timeout = '20s'"))
        batches.cancel(session, held)
        ticked = threading.Thread(target=lambda: messages.extend(pool.tick()))
        messages: list[ChunkMessage] = []
        ticked.start()
        ticked.join(10)
        assert not ticked.is_alive(), "the tick waits for a batch that it could leave to the next"
        assert [message.batch_id for message in messages] == [other]
    assert pool.tick() == []
    database.close()
