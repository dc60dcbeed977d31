"""What the queue costs here, beside the stock Celery way, in one run on one machine.

    python bench/queue.py                 # two minutes; a million images submitted
    python bench/queue.py --images 100000 --results bench/results

Real Postgres (fsync on), Redis, dispatcher and Celery workers. Nothing is fetched, decoded,
segmented or stored: what is left is the queue. *Stock* is ``bench/stock_queue.py``, one message and
one ORM row an image. CPU is user and system time of every process, by ``/proc``.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: with it ahead, this file would pass for the standard library's queue.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import importlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import ModuleType
from uuid import UUID

from sqlalchemy import func, select

from bench import machine
from bench.pool import Servers, processes, servers
from db import batches, workers
from db.models import BatchRow, InstanceRow, JobRow
from db.session import Database
from maskpool.domain import BatchState, Klass, new_id
from maskpool.spec import BatchSpec
from producer.broker import Broker
from producer.manifest import open_source
from producer.submit import Submission, Submitter

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}]})
CELLS = [(64, 0), (64, 7), (32, 0), (32, 7)]
WORKERS = 2


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: float
    unit: str
    target: str
    stock: float | None = None
    note: str = ""

    @property
    def ratio(self) -> str:
        """How many times better than the stock way."""
        if not self.stock or not self.measured:
            return ""
        better = self.measured / self.stock if "/s" in self.unit else self.stock / self.measured
        return f"{better:.0f}×" if better >= 10 else f"{better:.1f}×"


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1_000_000, help="in the large submit")
    parser.add_argument("--work", type=int, default=60_000, help="images through the queue a cell")
    parser.add_argument("--stock", type=int, default=1_500, help="images the stock way")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name:
        folder = Path(name)
        with servers(folder) as here:
            fsync_ms = machine.fsync_ms(folder)
            print(f"{machine.name()}, fsync {fsync_ms:.2f} ms", flush=True)
            stock = {count: _stock(here, asked.stock, count) for count in (0, 7)}
            rows = _submitting(here, asked.images, stock[0]["enqueued"])
            for chunk, instances in CELLS:
                rows += _working(here, asked.work, chunk, instances, stock[instances])
            rows += _waiting(here)
    for row in rows:
        beside = f"stock {row.stock:,.1f}  {row.ratio}" if row.stock else ""
        figures = f"{row.measured:>10,.2f} {row.unit:<9}{row.target:<10}"
        print(f"{row.what:<46}{figures}{beside:<26}{row.note}".rstrip())
    if asked.results:
        content = {"fsync_ms": fsync_ms, "rows": [asdict(row) for row in rows]}
        print(f"kept in {machine.save(asked.results, machine.name(), 'queue', content)}")


def _manifest(folder: Path, count: int) -> Path:
    path = folder / f"{new_id()}.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"uri": "images/{seq:07d}.jpg"}}\n' for seq in range(count))
    return path


def _submitting(here: Servers, count: int, stock_rate: float) -> list[Row]:
    """``maskpool submit``, a process from its start to its end."""
    told, manifest = here.fresh(), _manifest(here.folder, count)
    words = ["-m", "producer.cli", "submit", str(manifest), "-p", "a", "--json"]
    began = time.perf_counter()
    pid = os.spawnve(
        os.P_NOWAIT,
        sys.executable,
        [sys.executable, *words],
        {**os.environ, **told, "PYTHONPATH": str(ROOT)},
    )
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"submit ended with {status}")
    database = Database(told["MASKPOOL_DATABASE_URL"])
    with database.read() as session:
        batch_id = session.scalars(select(BatchRow.id)).one()
        looks = [_timed(lambda: batches.progress(session, batch_id)) for _ in range(200)]
    database.close()
    return [
        Row(f"submit {count:,} images", seconds, "s", "≤ 15", count / stock_rate),
        Row("  its largest resident size", used.ru_maxrss / 1024, "MB", "≤ 100"),
        Row("  status of that batch", statistics.median(looks) * 1000, "ms", "≤ 5"),
    ]


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def _working(
    here: Servers, count: int, chunk: int, instances: int, stock: dict[str, float]
) -> list[Row]:
    """A batch through dispatcher and workers: CPU an image by process, and images a second."""
    told = here.fresh()
    database = Database(told["MASKPOOL_DATABASE_URL"])
    commands = [["-m", "producer.cli", "dispatch"]]
    commands += [["-m", "bench.queue_worker", str(chunk), str(instances)]] * WORKERS
    with processes(commands, told, here.folder) as (dispatcher, *members):
        _until(lambda: _alive(database) == WORKERS)
        pids = {
            "dispatcher": [dispatcher.pid],
            "workers": [member.pid for member in members],
            "Redis": [here.redis.process.pid],
            "Postgres": [here.postgres.process.pid],
        }
        batch_id = _submit(database, told, _manifest(here.folder, count))
        before = {part: sum(map(machine.cpu_seconds, those)) for part, those in pids.items()}
        began = time.perf_counter()
        _until(lambda: _state(database, batch_id) == BatchState.DONE)
        seconds = time.perf_counter() - began
        spent = {
            part: (sum(map(machine.cpu_seconds, those)) - before[part]) / count * 1e6
            for part, those in pids.items()
        }
    with database.read() as session:
        assert batches.progress(session, batch_id).done == count
        assert (session.scalar(select(InstanceRow.seq).limit(1)) is not None) == bool(instances)
    database.close()
    what = f"chunks of {chunk}, {instances} instances an image"
    cpu_target = {(64, 0): "≤ 150", (64, 7): "≤ 250", (32, 0): "≤ 250", (32, 7): "≤ 400"}
    rate_target = {(64, 0): "≥ 8,000", (32, 0): "≥ 4,000"}
    place = (chunk, instances)
    parts = ", ".join(f"{part} {spent[part]:.0f}" for part in spent)
    return [
        Row(f"{what}: CPU", sum(spent.values()), "µs", cpu_target[place], stock["cpu_us"], parts),
        Row("  throughput", count / seconds, "images/s", rate_target.get(place, ""), stock["rate"]),
    ]


def _submit(
    database: Database, told: dict[str, str], manifest: Path, klass: Klass = Klass.BULK
) -> UUID:
    broker = Broker(told["MASKPOOL_REDIS_URL"])
    try:
        source = open_source(str(manifest))
        asked = Submission(source, SPEC, "bench", str(new_id()), klass=klass)
        return Submitter(database, broker.wake).submit(asked).batch_id
    finally:
        broker.close()


def _alive(database: Database) -> int:
    with database.read() as session:
        return len(workers.alive(session))


def _state(database: Database, batch_id: UUID) -> BatchState:
    with database.read() as session:
        return batches.progress(session, batch_id).state


def _until(holds: Callable[[], object], seconds: float = 300, every: float = 0.02) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("it takes too long; look at the logs")
        time.sleep(every)


def _waiting(here: Servers, times: int = 100) -> list[Row]:
    """One image that somebody waits for, on an idle pool: from submit until its row is there."""
    told = here.fresh()
    database = Database(told["MASKPOOL_DATABASE_URL"])
    commands = [["-m", "producer.cli", "dispatch"]]
    commands += [["-m", "bench.queue_worker", "64", "0"]] * WORKERS
    manifest = _manifest(here.folder, 1)
    waits = []
    with processes(commands, told, here.folder):
        _until(lambda: _alive(database) == WORKERS)
        for _ in range(times):
            began = time.perf_counter()
            batch_id = _submit(database, told, manifest, Klass.NOW)
            _until(lambda one=batch_id: _has_ended(database, one), every=0.001)
            waits.append((time.perf_counter() - began) * 1000)
            time.sleep(0.05)
    database.close()
    waits.sort()
    return [
        Row("one interactive image, idle pool, p50", waits[times // 2], "ms", "≤ 30"),
        Row("  p95", waits[times * 95 // 100], "ms", "≤ 60"),
    ]


def _has_ended(database: Database, batch_id: UUID) -> bool:
    with database.read() as session:
        return (
            session.scalar(select(JobRow.masks_key).where(JobRow.batch_id == batch_id)) is not None
        )


def _stock(here: Servers, count: int, instances: int) -> dict[str, float]:
    """Images a second enqueued and worked off, and CPU an image of everything but the enqueuer."""
    url = here.postgres.url(here.postgres.create()).replace(
        "postgresql://", "postgresql+psycopg://"
    )
    told = {"STOCK_BROKER": here.redis.url, "STOCK_DATABASE": url}
    os.environ.update(told)
    sys.modules.pop("bench.stock_queue", None)
    stock_queue = importlib.import_module("bench.stock_queue")

    stock_queue.Base.metadata.create_all(stock_queue.engine)
    with stock_queue.sessions() as session:
        began = time.perf_counter()
        for number in range(count):
            stock_queue.enqueue(session, f"{number}.jpg", instances)
        enqueued = count / (time.perf_counter() - began)
    command = ["-m", "celery", "-A", "bench.stock_queue", "worker", "-c", str(WORKERS)]
    pids = [here.redis.process.pid, here.postgres.process.pid]
    before = sum(map(machine.cpu_seconds, pids))
    with processes([command], told, here.folder) as (worker,):
        _until(lambda: _left(stock_queue) < count, every=0.005)
        began, own, at = time.perf_counter(), machine.cpu_seconds(worker.pid), _left(stock_queue)
        _until(lambda: _left(stock_queue) == 0)
        seconds = time.perf_counter() - began
        own = machine.cpu_seconds(worker.pid) - own
        spent = sum(map(machine.cpu_seconds, pids)) - before + own
    stock_queue.engine.dispose()
    return {"enqueued": enqueued, "rate": at / seconds, "cpu_us": spent / count * 1e6}


def _left(stock: ModuleType) -> int:
    with stock.sessions() as session:
        waiting = select(func.count()).where(stock.Image.state == "waiting")
        return session.scalar(waiting) or 0


if __name__ == "__main__":
    main()
