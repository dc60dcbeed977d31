"""Disks without room: under a folder store, under SQLite, and under everything at once."""

from __future__ import annotations

import hashlib
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from subprocess import CompletedProcess
from uuid import UUID

import pytest
from faults.sizes import IS_FULL, Sizes
from faults.submitting import manifest, submit
from faults.world import Member, Report, World
from services.command_line import maskpool
from services.process import Missing
from services.small_disk import SmallDisk, small_disk
from sqlalchemy import select

from db.models import BatchRow, JobRow
from db.schema import upgrade
from maskpool.domain import BatchState, JobState, new_id
from maskpool.errors import Unreachable
from storage.objects import keys

#: Of a core, for each process, while it can do nothing.
IDLE = 0.3

TMPFS, LIMIT = "tmpfs", "limit"


@dataclass
class SmallWorld(World):
    """SQLite and a folder store, each on a small disk of its own where one can be mounted."""

    database_disk: SmallDisk | None = None
    store_disk: SmallDisk | None = None


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faults-disk")
    with ExitStack() as stack:
        try:
            disks = [stack.enter_context(small_disk(folder / one, 16)) for one in ("db", "store")]
        except Missing as error:
            if request.param == TMPFS:
                pytest.skip(str(error))
            disks = []
        if request.param == LIMIT:
            if disks and not IS_FULL:
                pytest.skip("in `make faults`, or where no small disk can be mounted")
            disks = []
        url = f"sqlite:///{folder}/db/maskpool.sqlite"
        (folder / "db").mkdir(exist_ok=True)
        upgrade(url)
        world = SmallWorld(
            "embedded",
            folder,
            url,
            None,
            store_url=(folder / "store").as_uri(),
            told={"HURRY": "30"},
            worker_count=2,
            worker_script="hurried_worker.py",
        )
        world.database_disk, world.store_disk = disks or (None, None)
        stack.callback(world.close)
        world.start()
        yield world


@pytest.mark.parametrize("world", [TMPFS], indirect=True)
def test_the_store_has_no_room(world: SmallWorld, sizes: Sizes, report: Report) -> None:
    """The disk of the folder store is full."""
    disk = world.store_disk
    assert disk is not None
    batch = world.submit(sizes.stored_jobs)
    world.until(lambda: world.progress(batch).done >= 20, seconds=60, what="work")
    with _without_room(disk):
        world.until(lambda: _told(world, "the disk is full"), seconds=60, what="a job put off")
        busy = _busy(world, sizes.full_seconds)
        whole = _objects(world)
        left = [path.name for path in disk.path.rglob(f"{keys.TEMPORARY}*")]
        report.injected = len(_told(world, "the disk is full"))
        done = world.progress(batch).done
    world.await_end([batch], 120)

    jobs = world.check(report, [batch])
    report.note = f"{report.injected} jobs put off, {busy:.0%} of a core a process while full"
    assert whole > 0
    assert left == [], "half objects stayed"
    assert done < len(jobs)
    assert {(job.attempts, job.losses) for job in jobs} == {(0, 0)}, "charged for a full disk"
    assert busy < IDLE


@pytest.mark.parametrize("world", [TMPFS], indirect=True)
def test_sqlite_has_no_room(world: SmallWorld, sizes: Sizes, report: Report) -> None:
    """The disk of SQLite is full."""
    disk = world.database_disk
    assert disk is not None
    batch = world.submit(sizes.stored_jobs)
    world.until(lambda: world.progress(batch).done >= 20, seconds=60, what="work")
    source, key = manifest(world, 64), str(new_id())
    with _without_room(disk, before=lambda: _fold_log(world)):
        world.until(lambda: _logged(world, disk, "its disk is full"), seconds=60, what="the news")
        with pytest.raises(Unreachable, match="disk is full"):
            submit(world, source, key=key)
        told = _submit_by_hand(world, source)
        busy = _busy(world, sizes.full_seconds)
        stopped = [batch for batch, state in _batches(world) if state != BatchState.LOADING]
        done = world.progress(batch).done
    batches = [batch, submit(world, source, key=key)]
    world.await_end(batches, 120)

    report.injected = sum(_lines(member, "disk is full") for member in world.members)
    world.check(report, batches)
    report.note = f"{busy:.0%} of a core a process while full"
    assert told.returncode == 4
    assert "its disk is full" in told.stderr
    assert stopped == world.batch_ids[:-1], "a submit that was refused left more than its name"
    assert done < sizes.stored_jobs
    assert report.failed == 0
    assert _intact(world)
    assert busy < IDLE
    assert not any(member.own_deaths for member in world.members), "a crash"


@pytest.mark.parametrize("world", [LIMIT], indirect=True)
def test_nothing_can_be_written(world: SmallWorld, sizes: Sizes, report: Report) -> None:
    """No process may write to a file any more (RLIMIT_FSIZE): rows, masks and logs."""
    batch = world.submit(sizes.stored_jobs)
    world.until(lambda: world.progress(batch).done >= 20, seconds=60, what="work")
    with _forbidden(world.members):
        done = _settled(world, batch)
        busy = _busy(world, sizes.full_seconds)
        report.injected = len(world.members)
        assert world.progress(batch).done == done
        whole = _objects(world)
    world.await_end([batch], 120)

    world.check(report, [batch])
    report.note = f"{busy:.0%} of a core a process meanwhile"
    assert whole > 0
    assert not list((world.folder / "store").rglob(f"{keys.TEMPORARY}*"))
    assert report.failed == 0
    assert _intact(world)
    assert busy < IDLE
    assert not any(member.own_deaths for member in world.members), "a crash"


@contextmanager
def _without_room(disk: SmallDisk, before: Callable[[], None] = lambda: None) -> Iterator[None]:
    before()
    disk.fill()
    try:
        yield
    finally:
        disk.make_room()


@contextmanager
def _forbidden(members: list[Member]) -> Iterator[None]:
    """Let processes write to no file; a socket is none."""
    free = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for member in members:
            resource.prlimit(member.pid, resource.RLIMIT_FSIZE, (0, free[1]))
        yield
    finally:
        for member in members:
            resource.prlimit(member.pid, resource.RLIMIT_FSIZE, free)


def _busy(world: World, seconds: float) -> float:
    """Share of a core that the busiest process takes."""
    before = {member.pid: member.cpu_seconds() for member in world.members}
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    return max((one.cpu_seconds() - before[one.pid]) / elapsed for one in world.members)


def _told(world: World, words: str) -> list[JobRow]:
    """Jobs that were put off with these words."""
    with world.database.read() as session:
        put_off = select(JobRow.seq).where(
            JobRow.state == JobState.RETRY, JobRow.error.contains(words)
        )
        return list(session.scalars(put_off))


def _objects(world: World) -> int:
    """How many masks objects there are; each must be what its name promises."""
    found = 0
    for info in world.store.list(keys.MASKS):
        masks_key = keys.masks_key_of(info.key)
        assert masks_key is not None, info.key
        digest = hashlib.sha256(world.store.get(info.key)).hexdigest()
        assert digest.startswith(keys.digest_of(masks_key)), f"{info.key} is no whole object"
        found += 1
    return found


def _fold_log(world: World) -> None:
    """Let SQLite's log be empty: room that it took before could be written again."""
    path = world.database_url.removeprefix("sqlite:///")

    def folded() -> bool:
        with closing(sqlite3.connect(path)) as connection:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    world.until(folded, seconds=30, what="a moment without readers")


def _logged(world: World, disk: SmallDisk, words: str) -> bool:
    """Whether dispatcher and a worker met it; what became free meanwhile is taken."""
    disk.fill()
    workers = sum(_lines(member, words) for member in world.workers)
    return workers > 0 and _lines(world.dispatcher, words) > 0


def _lines(member: Member, words: str) -> int:
    return member.log.read_text(errors="replace").count(words)


def _submit_by_hand(world: World, source: str) -> CompletedProcess[str]:
    """As a user would, from another process."""
    environment = world.dispatcher.environment
    return maskpool("submit", source, "-p", "a", env=environment)


def _batches(world: World) -> list[tuple[UUID, BatchState]]:
    with world.database.read() as session:
        rows = session.execute(select(BatchRow.id, BatchRow.state).order_by(BatchRow.id)).all()
    return [(batch_id, BatchState(state)) for batch_id, state in rows]


def _settled(world: World, batch: UUID) -> int:
    """Jobs that are done once nothing changes any more."""
    done = -1
    while done != (now := world.progress(batch).done):
        done = now
        time.sleep(2.0)
    return done


def _intact(world: World) -> bool:
    with closing(sqlite3.connect(world.database_url.removeprefix("sqlite:///"))) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
