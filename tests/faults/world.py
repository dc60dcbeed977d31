"""A whole pool of real processes, each of which may be killed and is started again at once."""

from __future__ import annotations

import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import redis
from faults import history, scenes
from services.postgres_server import PostgresServer, start_again
from services.process import stop
from services.redis_server import RedisServer, running_redis
from sqlalchemy import select

from db import lookup
from db.models import ChunkRow, InstanceRow, JobRow, WorkerRow
from db.session import Database
from maskpool.domain import BatchState, ChunkState, JobState, Klass, Progress, new_id
from maskpool.errors import Unreachable
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.dispatch.broker import Broker
from producer.integrity.check import verify
from producer.integrity.findings import Finding, Tally
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter
from storage.objects import open_store

HERE = Path(__file__).parent
LEASE_SECONDS = 3.0
HEARTBEAT_SECONDS = 0.5
WORKERS = 3
SEED = 20_261_121
#: The negative finds the very masks of the first prompt, the second finds one region an image.
PROMPTS = [{"text": "a", "not": ["b"]}, {"text": "c", "kind": "stuff"}]
#: The classes are those of ``scenes.asks``.
SPEC = BatchSpec.read(
    {
        "version": 2,
        "model": "demo",
        "prompts": PROMPTS,
        "classes": ["boxed", "clicked"],
    }
)
#: Wide images, looked at in tiles; objects are not drawn in tiles.
TILED = BatchSpec.read(
    {
        "version": 3,
        "model": "demo",
        "prompts": PROMPTS,
        "tiles": {"size": scenes.TILE},
    }
)


#: An image in three tiles is four views.
_SMALLER = 4


def now_ms() -> int:
    """The clock of this machine, and so the databases'."""
    return time.time_ns() // 1_000_000


@dataclass
class Member:
    """A process that is to run always."""

    script: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    #: Exit statuses of deaths that nobody here brought about.
    own_deaths: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", HERE / "scripts" / self.script],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def restart(self) -> None:
        """Politely, and with the environment as it is now."""
        self.end()
        self.start()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 30) -> int:
        assert self.process is not None
        status = self.process.wait(seconds)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return status

    def kill(self) -> None:
        """As the kernel would, and start it again."""
        self.send(signal.SIGKILL)
        self.wait()
        self.start()

    def watch(self) -> bool:
        """Start it again where it died by itself; returns whether it did."""
        if self.process is None or self.process.poll() is None:
            return False
        self.own_deaths.append(self.process.returncode)
        self.wait()
        self.start()
        return True

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
        stop(self.process)
        self.wait()
        self.process = None


@dataclass
class Report:
    """One line of the table."""

    fault: str
    profile: str
    injected: int = 0
    jobs: int = 0
    failed: int = 0
    lost: int = 0
    twice: int = 0
    recovery: list[float] = field(default_factory=list)
    note: str = ""

    def recovered_in(self) -> str:
        if not self.recovery:
            return "–"
        return f"{max(self.recovery):.1f} / {statistics.median(self.recovery):.1f}"


@dataclass
class World:
    """One stack. ``start`` it, submit to it, hurt it, ``check`` it."""

    profile: str
    folder: Path
    database_url: str
    postgres: PostgresServer | None
    #: Empty: a folder of this world.
    store_url: str = ""
    #: What its processes are told beside the usual.
    told: dict[str, str] = field(default_factory=dict)
    worker_count: int = WORKERS
    worker_script: str = "timed_worker.py"
    rng: random.Random = field(default_factory=lambda: random.Random(SEED))

    def __post_init__(self) -> None:
        self.images = self.folder / "images"
        scenes.draw(self.images)
        self.stack = ExitStack()
        self.redis: RedisServer = self.stack.enter_context(running_redis())
        self.database = Database(self.database_url)
        self.store: ObjectStore = open_store(
            self.store_url or (self.folder / "objects").as_uri(),
            endpoint_url=self.told.get("MASKPOOL_S3_ENDPOINT_URL", ""),
        )
        history.keep(self.database)
        environment = {
            "MASKPOOL_HOME": str(self.folder / "home"),
            "MASKPOOL_DATABASE_URL": self.database_url,
            "MASKPOOL_REDIS_URL": self.redis.url,
            "MASKPOOL_STORE_URL": self.store.url,
            "MASKPOOL_SOURCE_ROOTS": str(self.images),
            "MASKPOOL_LEASE_SECONDS": str(LEASE_SECONDS),
            "MASKPOOL_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            **self.told,
        }
        logs = self.folder
        # A test may tell one of them something else before it is started.
        self.dispatcher = Member("quick_dispatcher.py", {**environment}, logs / "dispatcher.log")
        self.workers = [
            Member(self.worker_script, {**environment}, logs / f"worker-{number}.log")
            for number in range(1, self.worker_count + 1)
        ]
        self.batch_ids: list[UUID] = []
        self.tiled: set[UUID] = set()

    @property
    def members(self) -> list[Member]:
        return [self.dispatcher, *self.workers]

    def start(self) -> None:
        for member in self.members:
            member.start()
        self.until(
            lambda: len(self._worker_ids()) >= self.worker_count, seconds=60, what="the workers"
        )

    def close(self) -> None:
        for member in self.members:
            member.end()
        self.database.close()
        if self.postgres is not None:
            stop(self.postgres.process, signal.SIGINT)
        self.stack.close()

    def watch(self) -> None:
        for member in self.members:
            member.watch()

    def until(self, holds: Callable[[], object], *, seconds: float, what: str) -> None:
        """Wait, with everything that dies started again; a database that is away is waited for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.watch()
            try:
                if holds():
                    return
            except Unreachable:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds:.0f} s; {self.last_words()}")

    def last_words(self) -> str:
        return "\n".join(
            f"{member.log.name}: {member.log.read_text(errors='replace')[-1500:]}"
            for member in self.members
        )

    def manifest(self, count: int, poison: Iterable[int] = (), *, wide: bool = False) -> Path:
        """A list of ``count`` images; the jobs in ``poison`` are just that."""
        poisonous, kind = set(poison), "wide" if wide else "scene"
        lines = []
        for seq in range(count):
            image = f"{kind}_{seq % scenes.KINDS:02d}.png"
            image = "poison.png" if seq in poisonous else image
            lines.append(scenes.manifest_line(seq, image, wide=wide))
        manifest = self.images / f"{new_id()}.jsonl"
        manifest.write_text("\n".join(lines) + "\n")
        return manifest

    def submit(
        self,
        count: int,
        poison: Iterable[int] = (),
        klass: Klass = Klass.BULK,
        *,
        tiled: bool = False,
    ) -> UUID:
        """A batch of its own, through a manifest; the jobs in ``poison`` are just that."""
        manifest = self.manifest(count, poison, wide=tiled)
        source, key = open_source(str(manifest)), str(new_id())
        submission = Submission(source, TILED if tiled else SPEC, "ann", key, klass=klass)
        broker = Broker(self.redis.url)
        try:
            submitted = Submitter(self.database, broker.wake).submit(submission)
        finally:
            broker.close()
        assert submitted.total == count
        self.batch_ids.append(submitted.batch_id)
        if tiled:
            self.tiled.add(submitted.batch_id)
        return submitted.batch_id

    def progress(self, batch_id: UUID) -> Progress:
        with self.database.read() as session:
            return lookup.progress(session, batch_id)

    def await_end(self, batch_ids: Iterable[UUID], seconds: float) -> None:
        for batch_id in batch_ids:
            self.until(
                lambda one=batch_id: self.progress(one).state == BatchState.DONE,
                seconds=seconds,
                what=f"the end of batch {batch_id}",
            )

    def _worker_ids(self) -> dict[str, UUID]:
        with self.database.read() as session:
            rows = session.execute(select(WorkerRow.name, WorkerRow.id)).all()
        return {name: worker_id for name, worker_id in rows}  # noqa: C416

    def id_of(self, worker: Member) -> UUID | None:
        """Who a process is to the database; None before it said so."""
        try:
            return self._worker_ids().get(f"{socket.gethostname()}:{worker.pid}")
        except Unreachable:
            return None

    def is_at_work(self, worker: Member) -> bool:
        """Whether a worker holds a chunk."""
        worker_id = self.id_of(worker)
        if worker_id is None:
            return False
        with self.database.read() as session:
            held = select(ChunkRow.id).where(
                ChunkRow.worker == worker_id, ChunkRow.state == ChunkState.RUNNING
            )
            return bool(session.scalar(select(held.exists())))

    def restart_redis(self, away_seconds: float) -> None:
        """Kill it, and start an empty one in its place."""
        self.redis.process.kill()
        self.redis.process.wait()
        time.sleep(away_seconds)
        self.redis = self.stack.enter_context(running_redis(self.redis.port))

    def flush_redis(self) -> None:
        client = redis.Redis.from_url(self.redis.url)
        client.flushall()
        client.close()

    def stop_postgres(self) -> None:
        """At once, as a crash: it comes back by recovery."""
        assert self.postgres is not None
        self.postgres.process.send_signal(signal.SIGQUIT)
        self.postgres.process.wait(30)

    def start_postgres(self) -> None:
        assert self.postgres is not None
        self.postgres = start_again(self.postgres)

    def check(self, report: Report, batch_ids: Iterable[UUID]) -> list[JobRow]:
        """Read the whole world, fill in what came out, and return the batches' jobs."""
        mine = set(batch_ids)
        tally = Tally()
        findings = [one for one in verify(self.database, self.store, tally=tally) if one.wrong]
        with self.database.read() as session:
            jobs = list(session.scalars(select(JobRow).where(JobRow.batch_id.in_(mine))))
            rows = session.scalars(
                select(InstanceRow)
                .where(InstanceRow.batch_id.in_(mine))
                .order_by(InstanceRow.ordinal)
            )
            masks: dict[tuple[UUID, int], list[scenes.Mask]] = {}
            for row in rows:
                of = masks.setdefault((row.batch_id, row.seq), [])
                of.append((row.prompt_index, row.object_index, row.area, row.against))
            session.expunge_all()
        ended = history.times_ended(self.database, mine)
        report.jobs = sum(self.progress(one).total for one in mine)
        final = [job for job in jobs if job.state in JobState.counted()]
        report.lost = report.jobs - len(final)
        report.twice = sum(times > 1 for times in ended.values())
        report.failed = sum(job.state == JobState.FAILED for job in final)
        done = {(job.batch_id, job.seq) for job in jobs if job.state == JobState.DONE}
        assert (report.lost, report.twice) == (0, 0), report
        assert findings == [], _sentences(findings)
        assert tally.batches == len(self.batch_ids)
        assert masks == {
            (batch, seq): scenes.expected_masks(seq, wide=batch in self.tiled)
            for batch, seq in done
        }
        assert set(ended) == {(job.batch_id, job.seq) for job in jobs}
        assert sum(self.progress(one).done for one in mine) == len(done)
        return jobs


def _sentences(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{one.kind} {one.subject}: {one.sentence}" for one in findings)


@dataclass
class Load:
    """Batches one after the other, so that there is always work while faults happen."""

    world: World
    batch_ids: list[UUID] = field(default_factory=list)
    jobs: int = 0

    def keep_up(self, *, block: int = 100, blocks: int = 2, klass: Klass = Klass.BULK) -> None:
        """Submit batches of ``block`` jobs until there are ``blocks`` times as many left.

        Behind each two comes a smaller one of images that are looked at in tiles.
        """
        recent = self.batch_ids[-2 * blocks :]
        left = sum(self.world.progress(one).remaining for one in recent)
        while left < block * blocks:
            is_tiled = len(self.batch_ids) % 3 == 2
            count = max(1, block // _SMALLER) if is_tiled else block
            self.batch_ids.append(self.world.submit(count, klass=klass, tiled=is_tiled))
            self.jobs += count
            left += count

    def await_end(self, seconds: float = 120) -> None:
        self.world.await_end(self.batch_ids, seconds)
