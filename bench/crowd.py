"""A large pool on a small machine: logical workers of 40 images/s, in a few torch-free processes.

The largest run is 64 workers, 2,560 images/s, for two minutes. Where the machine is too slow for
it, the CPU time of each part shows why: two cores give 2,000,000 µs a second.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from PIL import Image
from sqlalchemy import func, select

from bench import machine
from bench.asking import Asker, await_workers
from bench.crowd_worker import IMAGES_PER_S
from bench.pool import Servers, processes
from bench.table import Row
from db.models import JobRow
from db.session import Database
from maskpool.domain import JobState, new_id

#: Workers of the pool that has a target.
MAX_WORKERS = 64
_WORKERS_A_PROCESS = 16

#: Files behind the images of a batch; a process reads each of them once.
_FILES = 32


@dataclass(frozen=True)
class Pool:
    """A pool at work.

    Attributes:
        asker: Submits to it.
        pids: The ids of its processes and servers, by part.
    """

    database: Database
    asker: Asker
    pids: dict[str, list[int]]
    folder: Path

    def submit(self, count: int) -> UUID:
        """Submit a bulk batch of ``count`` images."""
        return self.asker.submit(listed(self.folder, count))


@dataclass(frozen=True)
class Held:
    """The speed that a pool kept up.

    Attributes:
        seconds: How long it was measured.
        spent: CPU µs an image by part.
    """

    workers: int
    seconds: float
    images_per_s: float
    spent: dict[str, float]

    @property
    def asked(self) -> int:
        """The most that its engines can do, images/s."""
        return self.workers * IMAGES_PER_S

    def row(self) -> Row:
        """A line of the table."""
        what = f"{self.workers} workers of {IMAGES_PER_S} images/s, for {self.seconds:.0f} s"
        parts = ", ".join(f"{part} {us:.0f}" for part, us in self.spent.items())
        cores = self.images_per_s * sum(self.spent.values()) / 1e6
        note = f"{self.images_per_s / self.asked:.0%}; {parts} µs an image, {cores:.1f} cores"
        target = f"≥ {self.asked:,}" if self.workers == MAX_WORKERS else ""
        return Row(what, self.images_per_s, "images/s", target, note=note)


def crowd(here: Servers, workers: int, seconds: float) -> Held:
    """Run ``workers`` for ``seconds``, counted from when each has measured its speed.

    Images are counted by their rows, before and after.
    """
    with pool(here, workers) as running:
        # Half as many again: for the start, and for workers faster than their engine states.
        batch_id = running.submit(round(1.5 * workers * IMAGES_PER_S * (seconds + 10)))
        await_workers(running.database, workers, fast=True)
        time.sleep(2)  # until chunks have the size that follows from the measured speed
        meter = machine.Meter(running.pids)
        meter.start()
        before, began = _ended(running.database, batch_id), time.perf_counter()
        time.sleep(seconds)
        images, took = _ended(running.database, batch_id) - before, time.perf_counter() - began
        spent = {part: used / images * 1e6 for part, used in meter.read().items()}
    return Held(workers, took, images / took, spent)


@contextmanager
def pool(here: Servers, workers: int) -> Iterator[Pool]:
    """A dispatcher and logical workers, each of which has said that it lives."""
    told = here.fresh()
    database = Database(told["MASKPOOL_DATABASE_URL"])
    count = math.ceil(workers / _WORKERS_A_PROCESS)
    shares = [workers // count + (place < workers % count) for place in range(count)]
    commands = [["-m", "producer.cli", "dispatch"]]
    commands += [["-m", "bench.crowd_worker", str(share)] for share in shares]
    with Asker(database, told) as asker, processes(commands, told, here.folder) as running:
        await_workers(database, workers)
        yield Pool(database, asker, _pids(here, running), here.folder)
    database.close()


def _pids(here: Servers, running: list[subprocess.Popen[bytes]]) -> dict[str, list[int]]:
    dispatcher, *members = (process.pid for process in running)
    return {"dispatcher": [dispatcher], "workers": members, **here.pids}


def listed(folder: Path, count: int) -> Path:
    """A manifest of ``count`` images, which names a few small files again and again."""
    for number in range(_FILES):
        path = folder / f"{number}.png"
        if not path.exists():
            Image.new("RGB", (48, 8), (number, 0, 0)).save(path)
    path = folder / f"{new_id()}.jsonl"
    with path.open("w") as file:
        for seq in range(count):
            image = {"uri": f"{seq % _FILES}.png", "name": f"{seq:07d}.png"}
            file.write(json.dumps(image) + "\n")
    return path


def _ended(database: Database, batch_id: UUID) -> int:
    done = select(func.count()).where(JobRow.batch_id == batch_id, JobRow.state == JobState.DONE)
    with database.read() as session:
        return session.scalar(done) or 0
