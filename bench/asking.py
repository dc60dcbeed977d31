"""What every part of the queue's benchmark needs of a pool: submitting batches, and waiting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self
from uuid import UUID

import psycopg

from bench.pool import until
from db import lookup, workers
from db.session import Database
from maskpool.domain import BatchState, Klass, new_id
from maskpool.spec import BatchSpec
from producer.dispatch.broker import Broker
from producer.sources import open_source
from producer.submission import Submission
from producer.submit import Submitter

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}]})


def manifest(folder: Path, count: int) -> Path:
    """A list of ``count`` images that nobody ever opens."""
    path = folder / f"{new_id()}.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"uri": "images/{seq:07d}.jpg"}}\n' for seq in range(count))
    return path


class Asker:
    """Someone who submits one batch after the other, with connections that stay open."""

    def __init__(self, database: Database, told: dict[str, str]) -> None:
        self._broker = Broker(told["MASKPOOL_REDIS_URL"])
        self._submitter = Submitter(database, self._broker.wake)
        # The bare driver: polling every millisecond must not keep the processors busy.
        self._driver = psycopg.connect(told["MASKPOOL_DATABASE_URL"], autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.close()
        self._driver.close()

    def submit(self, listed: Path, klass: Klass = Klass.BULK) -> UUID:
        """Submit a new batch; returns its id."""
        asked = Submission(open_source(str(listed)), SPEC, "bench", str(new_id()), klass=klass)
        return self._submitter.submit(asked).batch_id

    def wait_for(self, listed: Path) -> float:
        """Milliseconds from the submit of one image until its row names its masks."""
        began = time.perf_counter()
        batch_id = self.submit(listed, Klass.NOW)
        until(lambda: self._has_result(batch_id), every=0.001)
        return (time.perf_counter() - began) * 1000

    def _has_result(self, batch_id: UUID) -> bool:
        found = self._driver.execute(
            "SELECT masks_key FROM jobs WHERE batch_id = %s AND seq = 0", [batch_id], prepare=True
        ).fetchone()
        return found is not None and found[0] is not None


def await_workers(database: Database, count: int, *, fast: bool = False) -> None:
    """Wait for ``count`` living workers; with ``fast``, until each has measured its speed."""

    def ready() -> bool:
        with database.read() as session:
            living = workers.alive(session)
        return sum(one.images_per_s is not None or not fast for one in living) == count

    until(ready)


def await_end(database: Database, batch_id: UUID) -> None:
    """Wait until a batch is DONE."""

    def done() -> bool:
        with database.read() as session:
            return lookup.progress(session, batch_id).state == BatchState.DONE

    until(done)
