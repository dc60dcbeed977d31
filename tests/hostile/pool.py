"""One real worker process that is never started again; the test itself is the dispatcher."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import redis
from services.process import stop
from sqlalchemy import select

from db import lookup
from db.models import JobRow, WorkerRow
from db.session import Database
from maskpool import wire
from maskpool.domain import BatchState, ChunkMessage, Klass, Progress, new_id
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.dispatch.broker import Broker
from producer.dispatch.tick import tick
from producer.integrity.check import verify
from producer.integrity.findings import Finding
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter
from storage.objects import open_store

SCRIPT = Path(__file__).with_name("scripts") / "corner_worker.py"
SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}]})

#: Of the lists that the worker reads.
QUEUES = tuple(wire.queue_name("demo", klass) for klass in Klass)


@dataclass
class HostilePool:
    """Rows, objects, broker, and the process that is to survive."""

    database: Database
    store: ObjectStore
    redis: redis.Redis
    publisher: Broker
    worker: subprocess.Popen[bytes]
    log: Path
    #: Where chunk messages go; a test may put its own in between.
    publish: Callable[[ChunkMessage], None] = field(init=False)

    def __post_init__(self) -> None:
        self.publish = self.publisher.publish

    def submit(self, manifest: Path, *, spec: BatchSpec = SPEC) -> UUID:
        """A batch of the images that a manifest names."""
        submission = Submission(open_source(str(manifest)), spec, "ann", str(new_id()))
        return Submitter(self.database, lambda: None).submit(submission).batch_id

    def progress(self, batch_id: UUID) -> Progress:
        with self.database.read() as session:
            return lookup.progress(session, batch_id)

    def run(self, batch_id: UUID, seconds: float) -> None:
        """Dispatch until the batch has ended."""
        self.until(
            lambda: self.progress(batch_id).state == BatchState.DONE, seconds, "the batch's end"
        )

    def until(self, holds: Callable[[], object], seconds: float, what: str) -> None:
        """Dispatch until something holds; the worker must outlive it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.worker.poll() is None, f"the worker died: {self.last_words()}"
            tick(self.database, self.publish)
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds:.0f} s; {self.last_words()}")

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def jobs(self, batch_id: UUID) -> Sequence[JobRow]:
        with self.database.read() as session:
            jobs = session.scalars(select(JobRow).where(JobRow.batch_id == batch_id)).all()
            session.expunge_all()
        return jobs

    def findings(self) -> list[Finding]:
        """What the checker says of the whole world."""
        return [one for one in verify(self.database, self.store) if one.wrong]

    def worker_names(self) -> list[str]:
        """Of all with this model that ever announced themselves; each ends with a process's id."""
        ours = select(WorkerRow.name).where(WorkerRow.device == "corner")
        with self.database.read() as session:
            return list(session.scalars(ours))

    def peak_bytes(self) -> int:
        """Most memory that the worker ever held."""
        status = Path(f"/proc/{self.worker.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def waiting(self) -> int:
        """Messages that were not taken."""
        return sum(int(self.redis.llen(queue)) for queue in QUEUES)


@contextmanager
def hostile_pool(
    database_url: str, store_url: str, redis_url: str, folder: Path, **told: str
) -> Iterator[HostilePool]:
    """A pool whose worker is ready.

    Args:
        database_url: Fresh and migrated.
        store_url: Empty.
        redis_url: Empty.
        folder: For the log, and the folder from which images may be read.
        **told: Further settings of the worker.
    """
    log = folder / "worker.log"
    environment = {
        "MASKPOOL_HOME": str(folder / "home"),
        "MASKPOOL_DATABASE_URL": database_url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_STORE_URL": store_url,
        "MASKPOOL_SOURCE_ROOTS": str(folder),
        **told,
    }
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-P", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    database, publisher = Database(database_url), Broker(redis_url)
    client = redis.Redis.from_url(redis_url)
    pool = HostilePool(database, open_store(store_url), client, publisher, worker, log)
    try:
        pool.until(pool.worker_names, 60, "the worker")
        yield pool
    finally:
        stop(worker)
        assert worker.stdin is not None
        worker.stdin.close()
        client.close()
        publisher.close()
        database.close()
