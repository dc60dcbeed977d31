"""The backup of docs/OPERATIONS.md, word for word: from a pool at work, restored elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from faults import history
from services.command_line import maskpool, until
from services.plain_pool import PlainPool
from services.pool_at_work import PoolAtWork, unfinished
from services.postgres_server import PostgresServer, postgres_programs
from services.redis_server import running_redis
from sqlalchemy import select

from db import batches, lookup
from db.models import InstanceRow, JobRow
from db.session import Database
from maskpool.domain import BatchState, JobState
from maskpool.ports import ObjectStore
from producer.integrity.check import verify
from producer.integrity.findings import Finding, Kind, Tally
from producer.integrity.orphans import collect
from storage.objects import keys, open_store

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "OPERATIONS.md").read_text()
#: Those named docker-… are run by tests/containers.
BLOCKS = dict(re.findall(r"^```sh (?!docker-)([\w-]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))

#: Images of the batch that is caught in the middle.
MANY = 160


@dataclass
class Site:
    """Where a pool may stand: a database, a store, and what the page's commands call them."""

    database_url: str
    store_url: str
    endpoint_url: str
    backup: Path
    stack: ExitStack = field(repr=False)

    def __post_init__(self) -> None:
        self.database = Database(self.database_url)
        self.stack.callback(self.database.close)
        self.store: ObjectStore = open_store(self.store_url, endpoint_url=self.endpoint_url)

    @property
    def profile(self) -> tuple[str, str]:
        """Which of the page's blocks are meant."""
        database = "postgres" if self.database.is_postgres else "sqlite"
        return database, "s3" if self.store_url.startswith("s3:") else "folder"

    def run(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block of the page, as somebody who stops at the first error."""
        if block.endswith("-s3") and shutil.which("aws") is None:
            self._copy_objects(block)
            return subprocess.CompletedProcess([], 0, "", "")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", BLOCKS[block]],
            env=self.environment(),
            cwd=self.backup,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        return done

    def _copy_objects(self, block: str) -> None:
        """As any tool that copies objects."""
        here, there = self.store, open_store((self.backup / "objects").as_uri())
        source, target = (here, there) if block.startswith("backup") else (there, here)
        for one in source.list(""):
            target.put(one.key, source.get(one.key))

    def environment(self) -> dict[str, str]:
        """What the commands are told."""
        programs = [str(Path(sys.executable).parent)]
        if self.database.is_postgres:
            programs.append(str(postgres_programs()))
        folder = self.store_url.removeprefix("file://")
        return {
            **os.environ,
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "BACKUP": str(self.backup),
            "STORE": self.store_url if self.profile[1] == "s3" else folder,
            "DATABASE_FILE": self.database_url.removeprefix("sqlite:///"),
            "MASKPOOL_DATABASE_URL": self.database_url,
            "MASKPOOL_STORE_URL": self.store_url,
            "MASKPOOL_S3_ENDPOINT_URL": self.endpoint_url,
            "MASKPOOL_REDIS_URL": "redis://127.0.0.1:1/0",  # nobody listens, nobody asks
            "COLUMNS": "200",
        }

    def wrong(self) -> list[Finding]:
        """What the checker finds beside orphans."""
        return [one for one in verify(self.database, self.store) if one.wrong]


@dataclass
class Sites:
    """Where the pool stands, and a new, empty place."""

    old: Site
    make_new: Callable[[], Site]

    def backup(self, *halves: str) -> None:
        for half in halves:
            database, store = self.old.profile
            self.old.run(f"backup-{database if half == 'database' else store}")

    def restore(self) -> Site:
        new = self.make_new()
        new.run(f"restore-{new.profile[0]}")
        new.run(f"restore-{new.profile[1]}")
        return new


@pytest.fixture(params=["embedded", "team"])
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sites]:
    backup = tmp_path / "backup"
    backup.mkdir()
    with ExitStack() as stack:
        if request.param == "embedded":
            urls = (request.getfixturevalue("sqlite_url"), _folder(tmp_path / "old"))

            def make_new() -> Site:
                new = tmp_path / "new"
                url = f"sqlite:///{new / 'maskpool.sqlite'}"
                store_url = _folder(new / "objects")
                return Site(url, store_url, "", backup, stack)

            endpoint = ""
        else:
            endpoint, bucket = request.getfixturevalue("s3_bucket")
            urls = (request.getfixturevalue("postgres_url"), f"s3://{bucket}/pool")
            server: PostgresServer = request.getfixturevalue("postgres_server")

            def make_new() -> Site:
                name = server.create()
                stack.callback(server.drop, name)
                store_url = f"s3://{request.getfixturevalue('s3_server').create_bucket()}/new"
                return Site(server.url(name), store_url, endpoint, backup, stack)

        yield Sites(Site(*urls, endpoint, backup, stack), make_new)


def _folder(path: Path) -> str:
    path.mkdir(parents=True)
    return path.as_uri()


def done_jobs(database: Database, batch_ids: list[UUID]) -> dict[tuple[UUID, int], str]:
    """The key of each DONE job's masks."""
    with database.read() as session:
        rows = session.execute(
            select(JobRow.batch_id, JobRow.seq, JobRow.masks_key).where(
                JobRow.state == JobState.DONE, JobRow.batch_id.in_(batch_ids)
            )
        )
        return {(batch_id, seq): str(key) for batch_id, seq, key in rows}


def results(site: Site, which: set[tuple[UUID, int]]) -> list[object]:
    """Everything about some jobs: their rows, their instances, and their masks' bytes."""
    found: list[object] = []
    with site.database.read() as session:
        for batch_id, seq in sorted(which):
            job = session.get_one(JobRow, (batch_id, seq))
            rows = session.scalars(
                select(InstanceRow)
                .where(InstanceRow.batch_id == batch_id, InstanceRow.seq == seq)
                .order_by(InstanceRow.ordinal)
            )
            key = keys.mask_object(batch_id, str(job.masks_key))
            content = site.store.get(key, job.masks_offset or 0, job.masks_length)
            found.append((_values(job), [_values(row) for row in rows], content))
    return found


def _values(row: JobRow | InstanceRow) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def test_the_page_has_every_block() -> None:
    halves = ("postgres", "sqlite", "s3", "folder")
    wanted = {f"{verb}-{half}" for verb in ("backup", "restore") for half in halves}
    assert wanted | {"check-restored", "clean-restored"} == set(BLOCKS)


def test_a_pool_at_work_comes_back_from_its_backup(sites: Sites, redis_url: str) -> None:
    old = sites.old
    history.keep(old.database)
    at_work = PoolAtWork(old.database, old.store, redis_url, chunk_seconds=0.05)
    first, many, paused = at_work.submit(12), at_work.submit(MANY, objects=True), at_work.submit(24)
    loading = at_work.submit(5, activate=False)
    with old.database.write() as session:
        batches.pause(session, paused)
    started = [first, many]
    with at_work:
        until(lambda: unfinished(old.database, started) <= MANY - 20, what="some of the work")
        sites.backup("database")
        before = unfinished(old.database, started)
        collect(old.database, old.store, older_than=0)
        until(lambda: unfinished(old.database, started) <= before - 20, what="work in between")
        sites.backup("store")
        late = at_work.submit(4)
        until(lambda: unfinished(old.database, [late]) == 0, what="work behind the backup")
    assert old.wrong() == []

    new = sites.restore()
    said = new.run("check-restored").stdout
    assert "nothing is wrong" in said
    assert new.wrong() == []
    kept = done_jobs(new.database, [first, many])
    assert 0 < len(kept) < 12 + MANY, "it was caught in the middle"
    assert kept.items() <= done_jobs(old.database, [first, many]).items()
    assert results(new, set(kept)) == results(old, set(kept))

    with new.database.write() as session:
        batches.resume(session, paused)
        batches.activate(session, loading)
    everything = [first, many, paused, loading]
    with (
        running_redis() as empty,
        PoolAtWork(new.database, new.store, empty.url, chunk_seconds=0.0),
    ):
        until(lambda: unfinished(new.database, everything) == 0, what="the rest")
        until(lambda: _states(new.database) == {BatchState.DONE}, what="every batch's end")
    tally = Tally()
    assert [one for one in verify(new.database, new.store, tally=tally) if one.wrong] == []
    assert (tally.batches, tally.jobs) == (4, 12 + MANY + 24 + 5)
    ended = history.times_ended(new.database, everything)
    assert set(ended.values()) == {1}
    assert len(ended) == tally.jobs
    assert results(new, set(kept)) == results(old, set(kept)), "nobody did it again"

    new.run("clean-restored")
    collect(new.database, new.store, older_than=0)
    assert list(verify(new.database, new.store)) == [], "not even an orphan is left"


def _states(database: Database) -> set[BatchState]:
    with database.read() as session:
        return {one.state for one in lookup.recent(session, limit=100)}


def test_the_other_order_would_lose_masks(sites: Sites) -> None:
    pool = PlainPool(sites.old.database, sites.old.store)
    pool.submit(16)
    pool.work(pool.tick()[0])
    sites.backup("store")
    pool.drain()
    sites.backup("database")
    assert {one.kind for one in sites.restore().wrong()} == {Kind.MISSING_OBJECT}


def test_what_was_removed_between_the_halves_is_named_and_can_be_removed_again(
    sites: Sites,
) -> None:
    pool = PlainPool(sites.old.database, sites.old.store)
    kept, removed = pool.submit(8), pool.submit(8)
    pool.drain()
    sites.backup("database")
    _remove(sites.old, removed)
    sites.backup("store")
    new = sites.restore()
    assert {(one.kind, one.batch_id) for one in new.wrong()} == {(Kind.MISSING_OBJECT, removed)}
    _remove(new, removed)
    assert list(verify(new.database, new.store)) == []
    assert len(done_jobs(new.database, [kept])) == 8


def _remove(site: Site, batch_id: UUID) -> None:
    done = maskpool("rm", str(batch_id), "--yes", env=site.environment())
    assert done.returncode == 0, done.stderr


def test_a_database_that_is_older_than_its_store_goes_on(sites: Sites) -> None:
    """Only the database was lost: its copy meets objects that it knows nothing of."""
    old = sites.old
    pool = PlainPool(old.database, old.store)
    batch_id = pool.submit(24)
    pool.work(pool.tick()[0])
    sites.backup("database")
    pool.drain()
    sites.backup("store")
    new = sites.restore()
    found = list(verify(new.database, new.store))
    assert {one.kind for one in found} == {Kind.ORPHAN}
    again = PlainPool(new.database, new.store, worker_id=pool.worker_id)
    again.drain()
    with new.database.read() as session:
        queued = lookup.progress(session, batch_id)
    assert queued.failed == 0
    assert new.wrong() == []


def test_the_doctor_refuses_a_restored_database_without_its_store(sites: Sites) -> None:
    pool = PlainPool(sites.old.database, sites.old.store)
    pool.submit(4)
    pool.drain()
    sites.backup("database")
    new = sites.make_new()
    new.run(f"restore-{new.profile[0]}")
    done = maskpool("doctor", "--deep", "--json", env=new.environment())
    assert done.returncode == 3
    assert set(json.loads(done.stdout)["counts"]) == {Kind.MISSING_OBJECT.value}
