"""What a worker's own troubles do to its jobs: nothing is charged, and no work is done twice."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from services.fakes import drawn
from services.plain_pool import PlainPool
from sqlalchemy import select, update

from db import chunks
from db.models import BatchRow, ChunkRow, InstanceRow, JobRow, WorkerRow
from db.session import Database
from db.workers import WorkerInfo
from maskpool.abilities import Ability
from maskpool.domain import MAX_LOSSES, Found, JobState, new_id
from maskpool.errors import (
    ConfigError,
    CredentialsError,
    MaskpoolError,
    NoAccess,
    Permanent,
    Unreachable,
)
from maskpool.ports import Answer, Image, Request
from maskpool.spec import BatchSpec
from producer.abilities import require_abilities
from storage.images.fetch import FetchedImage
from storage.objects import open_store
from workers.engine.engine import Engine
from workers.leases import LeaseKeeper
from workers.pipeline import Pipeline

SECONDS = 30.0

DENIED = ConfigError("s3://pool/masks: access denied (AccessDenied); look at the credentials")
EXPIRED = CredentialsError("s3://pool/masks: access denied (ExpiredToken); look at the credentials")


class DeviceLost(Exception):
    """As a driver raises it."""


@dataclass
class Models:
    """Find nothing, or fail as told."""

    fails: Exception | None = None
    before: Callable[[], object] = lambda: None
    finds: Callable[[Request[Image]], list[Found]] = lambda _: []

    def segment(self, requests: list[Request[Image]]) -> list[Answer]:
        self.before()
        if self.fails:
            raise self.fails
        return [Answer(self.finds(request)) for request in requests]


@dataclass
class Images:
    """A fetcher whose images are all there, or all not."""

    fails: MaskpoolError | None = None
    asked: list[str] = field(default_factory=list)

    def fetch(self, uri: str, batch_id: UUID | None = None, take: Any = None) -> FetchedImage:  # noqa: ARG002 - as the real one
        self.asked.append(uri)
        if self.fails:
            raise self.fails
        return FetchedImage(np.zeros((4, 6, 3), np.uint8), "0" * 64)


@dataclass
class World:
    """A pool whose one worker is real, but for its process and models."""

    pool: PlainPool
    models: Models = field(default_factory=Models)
    images: Images = field(default_factory=Images)
    workers: list[Any] = field(default_factory=list)

    def worker(self, abilities: frozenset[Ability] = frozenset(Ability)) -> Pipeline:
        models: Any = self.models
        engine = Engine(models, models, micro_batch=2, device_lost=(DeviceLost,)).start()
        keeper = LeaseKeeper(
            self.pool.database,
            WorkerInfo(
                self.pool.worker_id, "host:1", "cpu", "demo", threads=3, abilities=abilities
            ),
            lease_seconds=60.0,
            heartbeat_seconds=60.0,  # it would end the process: the time until then is the matter
            stall_seconds=60.0,
            rate=lambda: 2.0,
        )
        keeper.start()
        fetcher: Any = self.images
        pipeline = Pipeline(
            database=self.pool.database,
            store=self.pool.store,
            fetcher=fetcher,
            engine=engine,
            leases=keeper,
            worker_id=self.pool.worker_id,
            model="demo",
            images_in_work=16,
            abilities=abilities,
        )
        self.workers += [pipeline, engine, keeper]
        return pipeline

    def jobs(self, batch_id: UUID) -> list[tuple[JobState, int, int]]:
        """State, attempts and losses of each."""
        with self.pool.database.read() as session:
            rows = session.execute(
                select(JobRow.state, JobRow.attempts, JobRow.losses)
                .where(JobRow.batch_id == batch_id)
                .order_by(JobRow.seq)
            )
            return [(JobState(state), attempts, losses) for state, attempts, losses in rows]

    def lapse(self) -> None:
        """The process died, and its messages: all leases are over, and another comes."""
        sent_at = ChunkRow.published_at - 120_000
        with self.pool.database.write() as session:
            session.execute(update(ChunkRow).values(lease_until=1, published_at=sent_at))
            session.execute(update(WorkerRow).values(seen_at=WorkerRow.seen_at - 120_000))
        self.pool.worker_id = new_id()

    def ask(self, batch_id: UUID, **spec: Any) -> None:
        """Let a batch ask for something else than it was submitted with."""
        asked = {"model": "demo", "prompts": [{"text": "sky"}], **spec}
        with self.pool.database.write() as session:
            session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(spec=asked))

    def due(self) -> None:
        """What was put off may come now."""
        with self.pool.database.write() as session:
            session.execute(update(JobRow).where(JobRow.next_at.is_not(None)).values(next_at=1))


@pytest.fixture
def world(sqlite_url: str, folder_store_url: str) -> Iterator[World]:
    database = Database(sqlite_url)
    world = World(PlainPool(database, open_store(folder_store_url)))
    yield world
    for one in world.workers:
        one.close()
    database.close()


def lose_device(world: World, _: pytest.MonkeyPatch) -> None:
    world.models.fails = DeviceLost("the GPU has fallen off the bus")


def trip_engine(_: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_work_on", lambda *_: 1 / 0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("end", [lose_device, trip_engine])
def test_a_lost_engine_charges_nobody_and_takes_nothing_more(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[World, pytest.MonkeyPatch], None],
) -> None:
    batch_id, worker = world.pool.submit(12), world.worker()
    messages = world.pool.tick()
    end(world, monkeypatch)

    outcomes = [worker.run(message) for message in messages]

    assert outcomes[0].startswith("dropped: the lease")
    assert set(outcomes[1:]) == {"left: the engine is lost"}
    assert {attempts for _, attempts, _ in world.jobs(batch_id)} == {0}
    assert len(world.images.asked) <= messages[0].size, "none of another chunk"
    world.lapse()
    world.models.fails = None
    world.pool.drain()
    assert world.jobs(batch_id) == [(JobState.DONE, 0, 0)] * 12


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            {"version": 2, "prompts": [{"text": "sky", "kind": "stuff"}]},
            "cannot do .*: spec2, stuff",
        ),
        ({"version": 4, "prompts": "a layout that nobody knows yet"}, "does not know version 4"),
    ],
)
def test_what_a_worker_cannot_do_it_leaves_to_another_and_charges_nobody(
    world: World, spec: dict[str, Any], says: str
) -> None:
    batch_id, worker = world.pool.submit(4), world.worker(frozenset({Ability.OBJECTS}))
    world.ask(batch_id, **spec)

    outcomes = [worker.run(message) for message in world.pool.tick()]

    assert outcomes
    assert all("returned" in one or "left" in one for one in outcomes)
    assert world.jobs(batch_id) == [(JobState.RETRY, 0, 0)] * 4
    assert world.images.asked == []
    with world.pool.database.read() as session:
        rows = session.execute(select(JobRow.error, JobRow.next_at)).all()
    assert all(re.search(says, error) for error, _ in rows)
    assert all(next_at - time.time() * 1000 > 10_000 for _, next_at in rows), "it rests"
    world.due()
    world.ask(batch_id)
    world.pool.drain()
    assert world.jobs(batch_id) == [(JobState.DONE, 0, 0)] * 4


def test_objects_go_from_a_worker_without_a_tracker_to_one_that_has_it(world: World) -> None:
    """Nobody submits them while it lives; it may have come later."""
    batch_id = world.pool.submit(4)
    spec: dict[str, Any] = {"version": 2, "prompts": [], "classes": ["cat"]}
    world.ask(batch_id, **spec)
    cat = {"class": "cat", "box": [1, 1, 3, 3]}
    with world.pool.database.write() as session:
        odd = update(JobRow).where(JobRow.seq.in_([1, 3]))
        session.execute(odd.values(prompts={"objects": [cat, cat]}))
    bare, messages = world.worker(frozenset({Ability.SPEC2})), world.pool.tick()
    with (
        world.pool.database.read() as session,
        pytest.raises(ConfigError, match="this takes workers whose model makes masks"),
    ):
        require_abilities(session, BatchSpec.read({"model": "demo", **spec}))

    assert [bare.run(message) for message in messages] == ["done 2, failed 0, returned 2"]

    done, back = (JobState.DONE, 0, 0), (JobState.RETRY, 0, 0)
    assert world.jobs(batch_id) == [done, back, done, back]
    world.due()
    world.models.finds = drawn
    whole = world.worker()
    assert [whole.run(message) for message in world.pool.tick()] == ["done 2, failed 0, returned 0"]
    assert world.jobs(batch_id) == [done] * 4
    with world.pool.database.read() as session:
        rows = session.execute(
            select(InstanceRow.seq, InstanceRow.object_index, InstanceRow.area).order_by(
                InstanceRow.seq, InstanceRow.ordinal
            )
        )
        assert [tuple(row) for row in rows] == [(1, 0, 4), (1, 1, 4), (3, 0, 4), (3, 1, 4)]


@dataclass
class Measured(Models):
    """Finds nothing in a time that it measures: each text and each object takes 2 ms."""

    together: list[int] = field(default_factory=list)

    def segment(self, requests: list[Request[Image]]) -> list[Answer]:
        self.before()
        self.together.append(len(requests))
        seconds = [0.002 * request.rows for request in requests]
        time.sleep(sum(seconds))
        return [Answer([], seconds=one) for one in seconds]


def test_an_image_with_one_click_is_not_charged_its_neighbours_texts(world: World) -> None:
    clicks, both = world.pool.submit(1), world.pool.submit(1)
    world.ask(clicks, version=2, prompts=[], classes=["cat"])
    texts = [{"text": f"thing {n}"} for n in range(100)]
    world.ask(both, version=2, prompts=texts, classes=["cat"])
    with world.pool.database.write() as session:
        cat = {"class": "cat", "points": [[1, 1, 1]]}
        session.execute(update(JobRow).values(prompts={"objects": [cat]}))
    world.models = models = Measured()
    worker, messages, both_wait = world.worker(), world.pool.tick(), threading.Event()
    models.before = lambda: both_wait.wait(SECONDS)
    engine = world.workers[1]
    engine.submit(np.zeros((4, 6, 3), np.uint8), ("in the way",))
    with ThreadPoolExecutor(len(messages)) as threads:
        running = [threads.submit(worker.run, message) for message in messages]
        end = time.monotonic() + SECONDS
        while _waiting(engine) < 2 and time.monotonic() < end:
            time.sleep(0.005)
        both_wait.set()
        assert [one.result(SECONDS) for one in running] == ["done 1, failed 0, returned 0"] * 2
    world.pool.tick()

    assert models.together == [1, 2]
    with world.pool.database.read() as session:
        owed = {row.id: row.gpu_seconds for row in session.scalars(select(BatchRow))}
    assert owed[both] == pytest.approx(101 * owed[clicks], rel=0.01)


def test_chunks_beside_the_one_that_lost_the_device_are_not_charged(world: World) -> None:
    batch_id, worker = world.pool.submit(8), world.worker()
    world.models.fails = DeviceLost("an illegal memory access")
    arrived = threading.Event()
    world.models.before = lambda: arrived.wait(SECONDS)
    messages = world.pool.tick()
    with ThreadPoolExecutor(len(messages)) as threads:
        running = [threads.submit(worker.run, message) for message in messages]
        end = time.monotonic() + SECONDS
        while len(world.images.asked) < 8 and time.monotonic() < end:
            time.sleep(0.005)
        arrived.set()
        assert all(one.result(SECONDS).startswith("dropped: the lease") for one in running)
    assert {attempts for _, attempts, _ in world.jobs(batch_id)} == {0}


def test_an_image_that_loses_every_device_ends(world: World) -> None:
    batch_id = world.pool.submit(1)
    world.models.fails = DeviceLost("an illegal memory access")
    for _ in range(1 + MAX_LOSSES):  # once beside others, then alone
        worker = world.worker()
        for message in world.pool.tick():
            worker.run(message)
        world.lapse()
    world.pool.tick()

    assert world.jobs(batch_id) == [(JobState.FAILED, 0, MAX_LOSSES)]


@pytest.mark.parametrize("error", [DENIED, EXPIRED])
def test_a_store_that_takes_no_masks_for_its_settings_charges_nobody(
    world: World,
    error: ConfigError,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("workers.pipeline._UPLOAD_SECONDS", 0.0)
    batch_id, worker = world.pool.submit(4), world.worker()
    with monkeypatch.context() as broken:
        broken.setattr(world.pool.store, "put", _raising(error))
        for _ in range(6):  # a job has five attempts
            for message in world.pool.tick():
                worker.run(message)
            world.due()

    assert world.jobs(batch_id) == [(JobState.RETRY, 0, 0)] * 4
    assert str(error) in caplog.text
    for message in world.pool.tick():
        worker.run(message)
    assert world.jobs(batch_id) == [(JobState.DONE, 0, 0)] * 4


def test_masks_outlive_credentials_that_are_away_for_a_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, worker = world.pool.submit(4), world.worker()
    put, times = world.pool.store.put, iter([EXPIRED, EXPIRED])

    def hiccup(*args: Any) -> None:
        for error in times:
            raise error
        put(*args)

    monkeypatch.setattr(world.pool.store, "put", hiccup)
    outcomes = [worker.run(message) for message in world.pool.tick()]

    assert outcomes == ["done 4, failed 0, returned 0"]
    assert len(world.images.asked) == 4
    assert world.jobs(batch_id) == [(JobState.DONE, 0, 0)] * 4


@pytest.mark.parametrize("answer", [DENIED, EXPIRED, Unreachable("the object store", "away")])
def test_images_that_our_settings_hide_are_put_off(
    world: World, answer: MaskpoolError, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, worker = world.pool.submit(4), world.worker()
    world.images.fails = NoAccess("the object store s3://pool", str(EXPIRED))
    monkeypatch.setattr(world.pool.store, "size", _raising(answer))
    for _ in range(6):
        for message in world.pool.tick():
            worker.run(message)
        world.due()

    assert world.jobs(batch_id) == [(JobState.RETRY, 0, 0)] * 4


def test_an_image_that_alone_is_refused_ends(world: World) -> None:
    batch_id, worker = world.pool.submit(1), world.worker()
    world.images.fails = NoAccess("the object store s3://pool", str(DENIED))
    for _ in range(6):
        for message in world.pool.tick():
            worker.run(message)
        world.due()

    assert world.jobs(batch_id) == [(JobState.FAILED, 5, 0)]


def test_two_copies_of_a_message_make_one_chunk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, worker = world.pool.submit(4), world.worker()
    [message] = world.pool.tick()
    take, entered, leave = chunks.take, threading.Event(), threading.Event()

    def slow_take(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        assert leave.wait(SECONDS)
        return take(*args, **kwargs)

    monkeypatch.setattr(chunks, "take", slow_take)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(worker.run, message)
        assert entered.wait(SECONDS)
        entered.clear()
        second = threads.submit(worker.run, message)
        while not (entered.is_set() or second.done()):  # one of them it will be
            time.sleep(0.005)
        leave.set()
        assert second.result(SECONDS) == "dropped: in hand already"
        assert first.result(SECONDS) == "done 4, failed 0, returned 0"
    assert len(world.images.asked) == 4
    assert world.jobs(batch_id) == [(JobState.DONE, 0, 0)] * 4


@pytest.mark.parametrize("error", [Permanent("another batch"), Unreachable("Postgres", "away")])
def test_a_take_that_fails_leaves_the_chunk_to_its_next_message(
    world: World, monkeypatch: pytest.MonkeyPatch, error: MaskpoolError
) -> None:
    monkeypatch.setattr("workers.pipeline._TAKE_TRIES", 1)
    world.pool.submit(4)
    worker = world.worker()
    [message] = world.pool.tick()
    with monkeypatch.context() as broken:
        broken.setattr(chunks, "take", _raising(error))
        with pytest.raises(type(error)):
            worker.run(message)
    assert worker.run(message) == "done 4, failed 0, returned 0"
    assert worker.run(message) == "dropped: not to be had"


def _waiting(engine: Engine[Any]) -> int:
    return sum(map(len, engine._queues._by_class.values()))


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
