"""A batch through dispatcher and workers: CPU an image by process, and images a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import select

from bench import machine
from bench.asking import Asker, await_end, await_workers, manifest
from bench.pool import Servers, processes
from bench.stock import Stock
from bench.table import Row
from db import lookup
from db.models import InstanceRow
from db.session import Database

#: Worker processes, as many as the machine of the targets has cores.
WORKERS = 2

#: Chunk and instances an image → at most so much CPU, µs, and at least so many images/s.
_TARGETS = {
    (64, 0): ("≤ 150", "≥ 8,000"),
    (64, 7): ("≤ 250", ""),
    (32, 0): ("≤ 250", "≥ 4,000"),
    (32, 7): ("≤ 400", ""),
}

#: Runs without instances, to see a message's cost: chunk → share of the images to use.
_CHUNKS = {1: 1 / 40, 4: 1 / 10, 8: 1 / 6, 16: 1 / 3}


@dataclass(frozen=True)
class Cell:
    """What one batch cost.

    Attributes:
        spent: CPU µs an image by part.
    """

    chunk: int
    instances: int
    images_per_s: float
    spent: dict[str, float]

    @property
    def cpu_us(self) -> float:
        """CPU µs an image of all parts together."""
        return sum(self.spent.values())

    def rows(self, stock: Stock) -> list[Row]:
        """Lines of the table."""
        what = f"chunks of {self.chunk}, {self.instances} instances an image: CPU"
        cpu, rate = _TARGETS.get((self.chunk, self.instances), ("", ""))
        parts = ", ".join(f"{part} {us:.0f}" for part, us in self.spent.items())
        return [
            Row(what, self.cpu_us, "µs", cpu, stock.cpu_us, parts),
            Row("  throughput", self.images_per_s, "images/s", rate, stock.images_per_s),
        ]


def working(here: Servers, count: int) -> list[Cell]:
    """The cells with a target, ``count`` images each."""
    return [_through(here, count, *place) for place in _TARGETS]


def by_chunk(here: Servers, count: int) -> list[Cell]:
    """Smaller chunks, with fewer images, as each costs more."""
    return [_through(here, round(count * share), chunk, 0) for chunk, share in _CHUNKS.items()]


def _through(here: Servers, count: int, chunk: int, instances: int) -> Cell:
    told = here.fresh()
    database = Database(told["MASKPOOL_DATABASE_URL"])
    commands = [["-m", "producer.cli", "dispatch"]]
    commands += [["-m", "bench.queue_worker", str(chunk), str(instances)]] * WORKERS
    with (
        Asker(database, told) as asker,
        processes(commands, told, here.folder) as (dispatcher, *members),
    ):
        await_workers(database, WORKERS)
        meter = machine.Meter(
            {
                "dispatcher": [dispatcher.pid],
                "workers": [member.pid for member in members],
                **here.pids,
            }
        )
        batch_id = asker.submit(manifest(here.folder, count))
        # The submitter's time is no worker's; Postgres's for it is none of the queue's.
        meter.start()
        began = time.perf_counter()
        await_end(database, batch_id)
        seconds = time.perf_counter() - began
        spent = {part: used / count * 1e6 for part, used in meter.read().items()}
    with database.read() as session:
        assert lookup.progress(session, batch_id).done == count
        assert (session.scalar(select(InstanceRow.seq).limit(1)) is not None) == bool(instances)
    database.close()
    return Cell(chunk, instances, count / seconds, spent)
