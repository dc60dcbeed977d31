"""Chunks in hand: kept by the heartbeat, given up in time, on a real database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from db import batches, chunks, jobs, workers
from db.models import ChunkRow
from db.session import Database
from db.workers import WorkerInfo
from maskpool.domain import ChunkMessage, ImageRef, new_id
from maskpool.errors import LeaseLost
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick
from workers.leases import Holding, LeaseKeeper

BEAT = 0.03


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


@dataclass
class World:
    """A database with one batch, and keepers that are closed at the end."""

    database: Database
    batch_id: UUID
    path: Path
    keepers: list[LeaseKeeper] = field(default_factory=list)
    stalls: threading.Event = field(default_factory=threading.Event)
    me: UUID = field(default_factory=new_id)

    def keeper(self, **changes: Any) -> LeaseKeeper:
        options: dict[str, Any] = {
            "lease_seconds": 30.0,
            "heartbeat_seconds": BEAT,
            "stall_seconds": 60.0,
            "rate": lambda: 4.0,
            "on_stall": self.stalls.set,
            **changes,
        }
        info = WorkerInfo(self.me, "host:1", "cpu", "demo", threads=3)
        keeper = LeaseKeeper(self.database, info, **options)
        keeper.start()
        self.keepers.append(keeper)
        return keeper

    def take(self, keeper: LeaseKeeper) -> Holding:
        sent: list[ChunkMessage] = []
        tick(self.database, sent.extend)
        asked_at = time.monotonic()
        with self.database.write() as session:
            taken = chunks.take(
                session, sent[0].chunk_id, self.me, solo=False, lease_ms=keeper.lease_ms
            )
        assert taken is not None
        return keeper.hold(taken.chunk_id, asked_at)

    def lease_until(self) -> int:
        with self.database.read() as session:
            return session.scalars(
                select(ChunkRow.lease_until).where(ChunkRow.lease_until.is_not(None))
            ).one()


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    database = Database(sqlite_url)
    spec = BatchSpec.read({"model": "demo", "prompts": [{"text": "cone"}]})
    with database.write() as session:
        new = batches.NewBatch("ann", "key", "name", "demo", spec.dump(), "source")
        batch_id = batches.create_or_find(session, new).batch_id
        images = [ImageRef(f"{n}.png", f"file:///{n}.png") for n in range(4)]
        jobs.load_block(session, batch_id, 0, images)
        batches.activate(session, batch_id)
    world = World(database, batch_id, Path(sqlite_url.removeprefix("sqlite:///")))
    yield world
    for keeper in world.keepers:
        keeper.close()
    database.close()


def test_a_lease_ends_on_the_monotonic_clock() -> None:
    holding = Holding(new_id(), time.monotonic() + 0.1)
    assert holding.mine
    assert holding.go_on
    holding.require()
    time.sleep(0.11)
    assert not holding.mine
    assert not holding.go_on
    with pytest.raises(LeaseLost, match=str(holding.chunk_id)):
        holding.require()


def test_the_wall_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    holding = Holding(new_id(), time.monotonic() + 30)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert holding.mine


def test_the_lease_begins_when_it_was_asked_for(world: World) -> None:
    keeper = world.keeper(lease_seconds=5.0, heartbeat_seconds=60.0)
    assert keeper.lease_ms == 5000
    assert not keeper.hold(new_id(), time.monotonic() - 5.0).mine, "the reply came too late"
    left = keeper.hold(new_id(), time.monotonic() - 1.0)._deadline - time.monotonic()
    assert 3.9 < left <= 4.0


def test_heartbeats_extend_the_lease_here_and_in_the_row(world: World) -> None:
    keeper = world.keeper(lease_seconds=2.0)  # a busy machine may hold a heartbeat up for a second
    holding = world.take(keeper)
    first = world.lease_until()
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert holding.mine
        time.sleep(0.01)
    assert world.lease_until() - first > 2000
    assert holding.go_on


def test_a_heartbeat_says_that_the_worker_lives_and_how_fast_it_is(world: World) -> None:
    rates: list[float | None] = [None]
    keeper = world.keeper(rate=lambda: rates[0])

    def said() -> list[WorkerInfo]:
        with world.database.read() as session:
            return workers.alive(session)

    assert said() == [WorkerInfo(world.me, "host:1", "cpu", "demo", 3, None)], "before start ends"
    rates[0] = 7.5
    assert eventually(lambda: said()[0].images_per_s == 7.5)
    keeper.close()
    world.keepers.clear()
    assert said() == []


def test_a_chunk_that_went_to_another_is_noticed(world: World) -> None:
    keeper = world.keeper()
    holding = world.take(keeper)
    with world.database.write() as session:
        session.execute(update(ChunkRow).values(worker=new_id()))
    assert eventually(lambda: not holding.mine)
    assert not holding.go_on
    with pytest.raises(LeaseLost):
        holding.require()


def test_a_cancelled_chunk_is_lost(world: World) -> None:
    holding = world.take(world.keeper())
    with world.database.write() as session:
        batches.cancel(session, world.batch_id)
    assert eventually(lambda: not holding.mine)


def test_pause_stops_the_chunk_but_does_not_take_it_away(world: World) -> None:
    holding = world.take(world.keeper())
    with world.database.write() as session:
        batches.pause(session, world.batch_id)
    assert eventually(lambda: not holding.go_on)
    time.sleep(3 * BEAT)
    assert holding.mine
    holding.require()


def test_draining_stops_chunks_in_hand_and_chunks_to_come(world: World) -> None:
    keeper = world.keeper()
    holding = world.take(keeper)
    assert not keeper.draining
    keeper.drain()
    assert keeper.draining
    assert (holding.mine, holding.go_on) == (True, False)
    late = keeper.hold(new_id(), time.monotonic())
    assert (late.mine, late.go_on) == (True, False)


def test_a_message_that_comes_twice_is_recognised_before_its_chunk_is_taken(world: World) -> None:
    keeper = world.keeper()
    chunk_id = new_id()
    assert keeper.reserve(chunk_id)
    assert not keeper.reserve(chunk_id)
    assert keeper.reserve(new_id())
    keeper.release(keeper.hold(chunk_id, time.monotonic()))
    assert not keeper.reserve(chunk_id), "its thread is not done with it"
    keeper.unreserve(chunk_id)
    assert keeper.reserve(chunk_id)


def test_a_stalled_chunk_ends_the_process(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    holding = world.take(world.keeper(stall_seconds=0.3))
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        holding.made_progress()
        time.sleep(0.01)
    assert not world.stalls.is_set(), "progress is no stall, however long the chunk takes"
    assert world.stalls.wait(5)
    assert str(holding.chunk_id) in caplog.text


def test_a_chunk_may_wait_behind_another_that_makes_progress(world: World) -> None:
    keeper = world.keeper(stall_seconds=0.3)
    working, waiting = world.take(keeper), keeper.hold(new_id(), time.monotonic())
    while waiting.idle_seconds < 0.9:
        working.made_progress()
        time.sleep(0.01)
    assert not world.stalls.is_set(), "images of a slow server may keep the readers busy"
    assert world.stalls.wait(5), "but nobody waits when nothing moves at all"


def test_a_lost_chunk_that_hangs_is_a_stall_as_well(world: World) -> None:
    holding = world.take(world.keeper(stall_seconds=0.3))
    holding.lose()
    assert world.stalls.wait(5)


def test_without_the_database_the_lease_lapses_by_itself_and_comes_back_with_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    keeper = world.keeper(lease_seconds=0.3)
    holding = world.take(keeper)
    world.database.close()
    # The folder as a whole: SQLite would make an empty file where only the old one is missing, and
    # a heartbeat between two files that come back would see a database without its journal.
    folder, away = world.path.parent, world.path.parent.with_suffix(".away")
    folder.rename(away)
    assert eventually(lambda: not holding.mine)
    with pytest.raises(LeaseLost):
        holding.require()
    assert eventually(lambda: "heartbeat failed" in caplog.text)
    away.rename(folder)
    # Nobody reaped it: the row is still ours, so what was computed may still be written.
    assert eventually(lambda: holding.mine)


def test_a_bug_in_a_heartbeat_does_not_end_all_heartbeats(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    broken = threading.Event()

    def rate() -> float:
        if broken.is_set():
            raise ZeroDivisionError
        return 1.0

    keeper = world.keeper(lease_seconds=0.4, rate=rate)
    holding = world.take(keeper)
    broken.set()
    assert eventually(lambda: "ZeroDivisionError" in caplog.text)
    broken.clear()
    time.sleep(0.5)
    assert holding.mine, "the next heartbeats went on"


def test_a_keeper_that_could_not_start_can_be_closed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'here.sqlite'}")
    info = WorkerInfo(new_id(), "host:1", "cpu", "demo", threads=3)
    keeper = LeaseKeeper(
        database,
        info,
        lease_seconds=1,
        heartbeat_seconds=1,
        stall_seconds=1,
        rate=lambda: None,
    )
    with pytest.raises(Exception, match="unreachable"):
        keeper.start()
    keeper.close()
    database.close()
