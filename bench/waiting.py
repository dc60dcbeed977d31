"""One image that somebody waits for: from its submit until its row is there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from bench.asking import Asker, await_workers, manifest
from bench.crowd import listed, pool
from bench.crowd_worker import MICRO_BATCH_SECONDS
from bench.pool import Servers, processes, until
from bench.table import Row
from db import lookup
from db.session import Database

_TIMES = 100

#: Logical workers of the pool that has a backlog.
_WORKERS = 4

#: Images of the backlog that end before the measurement, so that chunks have their full size.
_AT_WORK = 1_000

#: Seconds between two submits; a prime number of milliseconds, so that they do not fall into
#: step with the pool's ticks.
_APART = 0.053


@dataclass(frozen=True)
class Waits:
    """Milliseconds, sorted."""

    ms: list[float]

    @property
    def p50(self) -> float:
        """The median."""
        return self.ms[len(self.ms) // 2]

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        return self.ms[len(self.ms) * 95 // 100]


def waiting(here: Servers) -> list[Row]:
    """Measure an idle pool without models: the time of the queue alone."""
    told = here.fresh()
    database = Database(told["MASKPOOL_DATABASE_URL"])
    commands = [["-m", "producer.cli", "dispatch"]]
    commands += [["-m", "bench.queue_worker", "64", "0"]] * 2
    with Asker(database, told) as asker, processes(commands, told, here.folder):
        await_workers(database, 2)
        waits = _wait(asker, manifest(here.folder, 1))
    database.close()
    return [
        Row("one interactive image, idle pool, p50", waits.p50, "ms", "≤ 30"),
        Row("  p95", waits.p95, "ms", "≤ 60"),
    ]


def behind(here: Servers, backlog: int) -> list[Row]:
    """On a pool with a timed engine: idle, and then behind a bulk batch of ``backlog`` images."""
    with pool(here, _WORKERS) as running:
        database, asker, one = running.database, running.asker, listed(here.folder, 1)
        _wait(asker, one, times=10)  # each worker knows its speed
        idle = _wait(asker, one)
        bulk = running.submit(backlog)

        def at_work() -> bool:
            with database.read() as session:
                return lookup.progress(session, bulk).done > _AT_WORK

        until(at_work)
        behind = _wait(asker, one)
        with database.read() as session:
            remaining = lookup.progress(session, bulk).remaining
    more = (behind.p95 - idle.p95) / 1000 / MICRO_BATCH_SECONDS
    note = f"idle + {more:.2f} micro-batches of {MICRO_BATCH_SECONDS * 1000:.0f} ms"
    most = idle.p95 + 2000 * MICRO_BATCH_SECONDS
    return [
        Row(f"the same, {_WORKERS} workers with a timed engine, idle, p50", idle.p50, "ms"),
        Row("  p95", idle.p95, "ms"),
        Row(f"  behind {remaining:,} images, p50", behind.p50, "ms"),
        Row("  p95", behind.p95, "ms", f"≤ {most:.0f}", note=note),
    ]


def _wait(asker: Asker, one: Path, times: int = _TIMES) -> Waits:
    waits = []
    for _ in range(times):
        waits.append(asker.wait_for(one))
        time.sleep(_APART)
    return Waits(sorted(waits))
