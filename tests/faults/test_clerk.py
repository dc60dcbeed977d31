"""Clerks that are killed, frozen and stopped: each task ends once, and nothing is half done."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from faults.conftest import built_world
from faults.sizes import IS_FULL
from faults.world import Member, World
from services.clerk_office import load_args
from services.plain_pool import PlainPool
from sqlalchemy import func, select

from db import batches, histogram, removal, tasks, uploads
from db.models import (
    BatchRow,
    InstanceRow,
    JobRow,
    TaskRow,
    UncertaintyRow,
    UploadFileRow,
    UploadRow,
    UserRow,
)
from maskpool.domain import BatchState, new_id
from maskpool.tasks import TaskKind, TaskState
from producer.dispatch.broker import Broker
from producer.integrity.check import verify
from storage.objects import keys

PNG = b"\x89PNG that nobody opens"
IMAGES = 60


class Office:
    """A world without workers, and clerks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.members: list[Member] = []

    def clerk(self, **told: str) -> Member:
        environment = {**self.world.dispatcher.environment, **told}
        log = self.world.folder / f"clerk-{new_id()}.log"
        member = Member("hurried_clerk.py", environment, log)
        self.members.append(member)
        member.start()
        return member

    def close(self) -> None:
        for member in self.members:
            member.end()

    def done_batch(self) -> UUID:
        """A batch whose images have ended. The dispatcher stands still meanwhile."""
        work = PlainPool(self.world.database, self.world.store)
        if self.world.dispatcher.process is not None:
            self.world.dispatcher.end()
        batch_id = work.submit(IMAGES)
        work.drain()
        self.world.dispatcher.start()
        return batch_id

    def upload(self) -> UUID:
        upload_id = new_id()
        with self.world.database.write() as session:
            batches._owner_id(session, "ann")
            user = session.scalar(select(UserRow.id).where(UserRow.name == "ann"))
            times = {"created_at": 1, "expires_at": 2**50}
            held = {"files": IMAGES, "size": IMAGES * len(PNG)}
            session.add(UploadRow(id=upload_id, user_id=user, name="up", **times, **held))
            session.flush()
            for n in range(IMAGES):
                whole = {"size": len(PNG), "sha256": "0"}
                session.add(UploadFileRow(upload_id=upload_id, name=f"{n:03d}.png", **whole))
        return upload_id

    def ask(self, kind: TaskKind, args: dict[str, Any], batch_id: UUID | None = None) -> UUID:
        with self.world.database.write() as session:
            if kind is TaskKind.DELETE and batch_id is not None:
                removal.mark_deleted(session, batch_id)
            nobody = {"user_id": None, "team_id": None}
            task_id = tasks.create(session, kind, args, **nobody, batch_id=batch_id)
        broker = Broker(self.world.redis.url)
        broker.wake()
        broker.close()
        return task_id

    def row(self, task_id: UUID) -> TaskRow:
        with self.world.database.read() as session:
            row = tasks.find(session, task_id)
        assert row is not None
        return row

    def until(self, task_id: UUID, state: TaskState, seconds: float = 25) -> TaskRow:
        self.world.until(
            lambda: self.row(task_id).state == state,
            seconds=seconds,
            what=f"{state.label}, not {self.row(task_id).error}; {self.last_words()}",
        )
        return self.row(task_id)

    def last_words(self) -> str:
        return "\n".join(one.log.read_text()[-1_500:] for one in self.members)

    def count(self, table: Any, batch_id: UUID) -> int:
        with self.world.database.read() as session:
            mine = select(func.count()).where(table.batch_id == batch_id)
            return session.scalar(mine.select_from(table)) or 0

    def check(self) -> None:
        """Rows and objects say nothing against each other, but for what a dead clerk left."""
        wrong = [one for one in verify(self.world.database, self.world.store) if one.wrong]
        assert wrong == []


@pytest.fixture(scope="module", params=["team", "embedded"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp(f"clerk-{request.param}")
    with built_world(request.param, folder, worker_count=0) as one:
        one.start()
        yield one


@pytest.fixture
def office(world: World) -> Iterator[Office]:
    office = Office(world)
    yield office
    office.close()


@pytest.mark.parametrize("place", ["delete.block", "delete.rows", "task.finishing"])
def test_killed_in_the_middle_of_a_deletion(office: Office, place: str) -> None:
    """Clerk killed while it deletes."""
    _at_full_size_or_first(office, place, "delete.block")
    batch_id = office.done_batch()
    first = office.clerk(MASKPOOL_FAILPOINTS=f"{place}=kill")
    task_id = office.ask(TaskKind.DELETE, {"batch": str(batch_id)}, batch_id)
    assert first.wait() == -signal.SIGKILL
    office.clerk()
    row = office.until(task_id, TaskState.DONE)
    assert row.attempts == 2
    assert [office.count(table, batch_id) for table in (JobRow, InstanceRow)] == [0, 0]
    assert not list(office.world.store.list(keys.masks_prefix(batch_id)))
    with office.world.database.read() as session:
        assert session.get(BatchRow, batch_id) is None
    office.check()


@pytest.mark.parametrize("place", ["task.stored", "export.joined", "task.finishing"])
def test_killed_in_the_middle_of_an_export(office: Office, place: str) -> None:
    """Clerk killed while it writes a data set."""
    _at_full_size_or_first(office, place, "task.stored")
    batch_id = office.done_batch()
    first = office.clerk(MASKPOOL_FAILPOINTS=f"{place}=kill")
    task_id = office.ask(TaskKind.EXPORT, {"batches": [str(batch_id)]})
    assert first.wait() == -signal.SIGKILL
    office.clerk()
    _check_export(office, office.until(task_id, TaskState.DONE))


@pytest.mark.parametrize(
    "place", ["submit.block_committed@2", "submit.block_written", "submit.activated", "task.taken"]
)
def test_killed_in_the_middle_of_a_load(office: Office, place: str) -> None:
    """Clerk killed while it loads a batch."""
    _at_full_size_or_first(office, place, "submit.block_committed@2")
    name, _, time = place.partition("@")
    first = office.clerk(MASKPOOL_FAILPOINTS=f"{name}=kill@{time or 1}")
    upload_id = office.upload()
    task_id = office.ask(TaskKind.LOAD, load_args(upload_id, key=str(new_id())))
    assert first.wait() == -signal.SIGKILL
    office.clerk()
    row = office.until(task_id, TaskState.DONE)
    assert row.result is not None
    batch_id = UUID(row.result["batch"])
    assert (row.result["images"], row.batch_id) == (IMAGES, batch_id)
    assert office.count(JobRow, batch_id) == IMAGES
    with office.world.database.read() as session:
        batch = session.get_one(BatchRow, batch_id)
        assert (batch.state, batch.total) == (BatchState.ACTIVE, IMAGES)
    office.check()


@pytest.mark.parametrize("place", ["submit.block_committed@2", "submit.loaded", "task.finishing"])
def test_killed_in_the_middle_of_a_manifest(office: Office, place: str) -> None:
    """Clerk killed while it loads a batch from a manifest."""
    _at_full_size_or_first(office, place, "submit.block_committed@2")
    name, _, time = place.partition("@")
    first = office.clerk(MASKPOOL_FAILPOINTS=f"{name}=kill@{time or 1}")
    upload_id, file = office.upload(), "list.jsonl"
    lines = b"".join(b'{"uri": "%03d.png", "name": "n/%d"}\n' % (n, n) for n in range(IMAGES))
    office.world.store.put(keys.upload_object(upload_id, file), lines)
    with office.world.database.write() as session:
        whole = {"size": len(lines), "sha256": "0"}
        session.add(UploadFileRow(upload_id=upload_id, name=file, **whole))
        uploads.count(session, upload_id, files=1, size=len(lines))
    args = load_args(manifest={"upload": str(upload_id), "file": file})
    task_id = office.ask(TaskKind.LOAD, args)
    assert first.wait() == -signal.SIGKILL
    office.clerk()
    row = office.until(task_id, TaskState.DONE)
    assert row.result is not None
    batch_id = UUID(row.result["batch"])
    assert (row.attempts, row.result["images"]) == (2, IMAGES)
    with office.world.database.read() as session:
        asked = select(JobRow.name).where(JobRow.batch_id == batch_id).order_by(JobRow.seq)
        assert session.scalars(asked).all() == [f"n/{n}" for n in range(IMAGES)]
        batch = session.get_one(BatchRow, batch_id)
        assert (batch.state, batch.total) == (BatchState.ACTIVE, IMAGES)
    office.check()


@pytest.mark.parametrize("place", ["count.block@2", "count.kept", "task.finishing"])
def test_killed_in_the_middle_of_a_count(office: Office, place: str) -> None:
    """Clerk killed while it counts a batch by score."""
    _at_full_size_or_first(office, place, "count.block@2")
    batch_id = office.done_batch()
    name, _, time = place.partition("@")
    first = office.clerk(MASKPOOL_FAILPOINTS=f"{name}=kill@{time or 1}")
    task_id = office.ask(TaskKind.COUNT, {"batch": str(batch_id)}, batch_id)
    assert first.wait() == -signal.SIGKILL
    office.clerk()
    row = office.until(task_id, TaskState.DONE)
    assert (row.attempts, row.result) == (2, {"images": IMAGES})
    assert office.count(UncertaintyRow, batch_id) == IMAGES
    with office.world.database.read() as session:
        known = histogram.counted(session, batch_id)
        assert known is not None
        assert (known.images, known.version) == (IMAGES, 2 if name == "count.block" else 1)
    office.check()


@pytest.mark.usefixtures("at_full_size_or_team")
def test_frozen_past_its_lease_it_is_refused(office: Office) -> None:
    """Clerk stopped past its lease, then continued."""
    batch_id = office.done_batch()
    frozen = office.clerk(MASKPOOL_FAILPOINTS="task.stored=stop")
    task_id = office.ask(TaskKind.EXPORT, {"batches": [str(batch_id)]})
    office.until(task_id, TaskState.RUNNING)
    office.clerk()
    ended = office.until(task_id, TaskState.DONE)
    frozen.send(signal.SIGCONT)
    office.world.until(
        lambda: f"task {task_id}: dropped" in frozen.log.read_text(),
        seconds=60,
        what=f"the late one's refusal; {office.last_words()}",
    )
    assert office.row(task_id).result == ended.result
    _check_export(office, office.row(task_id))


@pytest.mark.usefixtures("at_full_size_or_team")
def test_what_redis_forgot_is_published_again(office: Office) -> None:
    """Redis emptied while a task waits in it."""
    clerk = office.clerk()
    office.until(office.ask(TaskKind.EXPIRE, {}), TaskState.DONE)
    clerk.send(signal.SIGSTOP)
    task_id = office.ask(TaskKind.EXPIRE, {})
    office.world.until(
        lambda: office.row(task_id).published_at is not None, seconds=60, what="its message"
    )
    office.world.flush_redis()
    clerk.send(signal.SIGCONT)
    office.until(task_id, TaskState.DONE)


@pytest.mark.usefixtures("at_full_size_or_team")
def test_stopped_it_gives_its_task_back_at_once(office: Office) -> None:
    """Clerk stopped by SIGTERM in the middle of a deletion."""
    batch_id = office.done_batch()
    slow = office.clerk(SLOW_STEPS="0.3")
    task_id = office.ask(TaskKind.DELETE, {"batch": str(batch_id)}, batch_id)
    office.world.until(
        lambda: office.row(task_id).progress is not None, seconds=60, what="its first steps"
    )
    slow.send(signal.SIGTERM)
    assert slow.wait() == 0
    row = office.row(task_id)
    assert (row.state, row.attempts, row.lease_until) == (TaskState.WAITING, 0, None)
    assert office.count(JobRow, batch_id) > 0
    office.clerk()
    office.until(task_id, TaskState.DONE)
    assert office.count(JobRow, batch_id) == 0


def _check_export(office: Office, row: TaskRow) -> None:
    assert row.result is not None
    [file] = row.result["files"]
    content = office.world.store.get(file["key"])
    assert (len(content), row.result["images"]) == (file["bytes"], IMAGES)
    assert len(json.loads(content)["images"]) == IMAGES
    office.check()


def _at_full_size_or_first(office: Office, place: str, first: str) -> None:
    """In short, one place on Postgres; SQLite has one of the deletions."""
    short = place == first and (office.world.profile == "team" or first == "delete.block")
    if not short and not IS_FULL:
        pytest.skip("in `make faults` only")
