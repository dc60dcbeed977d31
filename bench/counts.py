"""What filters over images cost, what counting a batch costs, and what an index would.

    python bench/counts.py                            # 100,000 images; some minutes
    python bench/counts.py --only lists --images 1000000

Real Postgres (fsync on) and SQLite; batches of ``bench/scored.py``. *Lists*: the first page with
its total, each order under each filter; the slowest filter of each order is shown, before and after
a clerk counted the batch. CPU time of all processes, as others may use the machine; by the clock,
the least of some times. *Index*: the worker's finish of a chunk of 64 images on two databases in
turns, one of which has an index of instances by batch, prompt, score and image; *stock* is without.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from uuid import UUID

import numpy as np
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from bench import machine, scored
from bench.pool import Servers, servers
from bench.table import Row, show, sum_up
from db import batches, chunks, jobs
from db.batches import NewBatch
from db.chunks import Done
from db.images import Order
from db.models import BatchRow, ChunkRow, ScoreBlockRow
from db.schema import upgrade
from db.session import Database
from maskpool.domain import BatchState, ChunkState, ImageRef, new_id
from maskpool.reading import Reading
from maskpool.settings import Settings
from producer import counting, images
from producer.images import Wanted
from producer.pool import Pool

#: Filters: a prompt; a part of its scores; without it; a state.
FILTERS = {
    "any image": Wanted(),
    "a prompt": Wanted(prompt="thing 3", found=True),
    "a prompt, score 0.6 to 0.7": Wanted(prompt="thing 3", found=True, scores=(0.6, 0.7)),
    "a prompt not found, done": Wanted(prompt="thing 3", found=False, state="done"),
    "nothing found": Wanted(found=False),
}

#: Ways of reading.
READINGS = {
    "": Reading(),
    ", exclusive": Reading(exclusive=True, max_overlap=0.5),
}

#: Databases.
KINDS = ("Postgres", "SQLite")

_CHUNK = 64
_INDEX = "CREATE INDEX ix_bench ON instances (batch_id, prompt_index, score, seq)"


@dataclass
class Run:
    """Servers, and what was asked for."""

    here: Servers
    asked: argparse.Namespace

    def lists(self) -> list[Row]:
        """Pages of images, and the clerk's counting, on both databases."""
        rows = []
        for kind in self.asked.databases:
            with _pool(self._fresh(kind), self.here) as pool:
                batch_id = scored.fill(pool.database, self.asked.images)
                rows += self._orders(pool, batch_id, f"{kind}, not counted", counted=False)
                counted = _cost(partial(_count, pool, batch_id), 1, warm=False)
                rows += [
                    Row(f"{kind}: the clerk counts it", counted.cpu_ms / 1e3, "s CPU"),
                    Row(f"{kind}: its blocks of scores", _blocks_mb(pool, batch_id), "MB"),
                ]
                took = _cost(partial(counting.read, pool, batch_id), 5)
                rows.append(Row(f"{kind}: its histogram is read", took.cpu_ms, "ms CPU", "≤ 50"))
                show(rows[-3:])
                rows += self._orders(pool, batch_id, f"{kind}, counted", counted=True)
        return rows

    def _fresh(self, kind: str) -> str:
        return self._postgres() if kind == "Postgres" else self._sqlite()

    def _orders(self, pool: Pool, batch_id: UUID, what: str, *, counted: bool) -> list[Row]:
        rows = []
        target = "≤ 300" if self.asked.images <= 100_000 else ""
        for said, reading in READINGS.items():
            with pool.database.write() as session:
                batches.set_reading(session, batch_id, reading)
            if counted:
                _count(pool, batch_id)
            for order in Order:
                taken = {
                    name: _cost(_page(pool, batch_id, wanted, order), self.asked.times)
                    for name, wanted in FILTERS.items()
                }
                slowest = max(taken, key=lambda name: taken[name].cpu_ms)
                cost, mean = taken[slowest], statistics.mean(one.cpu_ms for one in taken.values())
                note = f"{slowest} ({cost.ms:.0f} ms by the clock); mean of all {mean:.0f}"
                rows.append(
                    Row(f"{what}{said}: by {order}", cost.cpu_ms, "ms CPU", target, None, note)
                )
                show(rows[-1:])
        return rows

    def index(self) -> list[Row]:
        """What an index would cost workers."""
        parts = {"without": self._finishing(""), "with": self._finishing(_INDEX)}
        meter = machine.Meter({"Postgres": self.here.pids["Postgres"]})
        times: dict[str, list[float]] = {name: [] for name in parts}
        cpu = dict.fromkeys(parts, 0.0)
        for turn in range(self.asked.turns + 1):
            for name, finish in parts.items():
                meter.start()
                taken = [finish() for _ in range(self.asked.chunks)]
                if turn:  # the first one warms up
                    times[name] += taken
                    cpu[name] += meter.read()["Postgres"]
        ms = {name: 1e3 * statistics.median(taken) for name, taken in times.items()}
        each = {name: 1e3 * used / len(times[name]) for name, used in cpu.items()}
        note = f"{_CHUNK} images; stock: without it"
        more = 100 * (each["with"] / each["without"] - 1)
        rows = [
            Row("finish with the index, p50", ms["with"], "ms", "", ms["without"], note),
            Row("  CPU of Postgres", each["with"], "ms", "", each["without"]),
            Row("  more CPU", more, "%"),
        ]
        show(rows)
        return rows

    def _finishing(self, index: str) -> Callable[[], float]:
        """A function that finishes one more chunk and says how long that took."""
        database, worker = Database(self._postgres()), new_id()
        scored.fill(database, self.asked.images)
        with database.write() as session:
            session.execute(text(index or "SELECT 1"))
        seqs = iter(range(0, _CHUNK * self.asked.chunks * (self.asked.turns + 1), _CHUNK))
        batch_id, random = (
            _loaded(database, _CHUNK * self.asked.chunks * (self.asked.turns + 1)),
            (np.random.default_rng(11)),
        )

        def finish() -> float:
            first, chunk_id = next(seqs), new_id()
            of = {"batch_id": batch_id, "lo": first, "hi": first + _CHUNK, "size": _CHUNK}
            state = {"state": ChunkState.RUNNING, "worker": worker, "created_at": 0}
            with database.write() as session:
                session.add(ChunkRow(id=chunk_id, **of, **state))
            key = f"{chunk_id}-0123456789abcdef"
            ends = [
                Done(seq, key, 0, 1, 1920, 1080, scored.instances(random))
                for seq in range(first, first + _CHUNK)
            ]
            began = time.perf_counter()
            with database.write() as session:
                chunks.finish(session, worker, chunk_id, ends, gpu_seconds=1.0)
            return time.perf_counter() - began

        return finish

    def _postgres(self) -> str:
        return self.here.fresh()["MASKPOOL_DATABASE_URL"]

    def _sqlite(self) -> str:
        url = f"sqlite:///{self.here.folder / f'{new_id()}.sqlite'}"
        upgrade(url)
        return url


def _page(pool: Pool, batch_id: UUID, wanted: Wanted, order: Order) -> Callable[[], object]:
    asked = Wanted(wanted.state, wanted.prompt, wanted.scores, wanted.found, order, 1)
    return lambda: images.page(pool, batch_id, asked, limit=101)


def _count(pool: Pool, batch_id: UUID) -> None:
    counting.count(pool.database, batch_id, fence=lambda _: None, on_step=lambda *_: None)


def _blocks_mb(pool: Pool, batch_id: UUID) -> float:
    size = select(func.sum(func.length(ScoreBlockRow.content)))
    with pool.database.read() as session:
        found = session.scalar(size.where(ScoreBlockRow.batch_id == batch_id))
    return (found or 0) / 1e6


@dataclass(frozen=True)
class Cost:
    """What something costs: in CPU, and by the clock."""

    cpu_ms: float
    ms: float


def _cost(act: Callable[[], object], times: int, *, warm: bool = True) -> Cost:
    if warm:
        act()
    taken, before = [], machine.cpu_seconds(os.getpid())
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    cpu = machine.cpu_seconds(os.getpid()) - before
    return Cost(1e3 * cpu / times, 1e3 * min(taken))


def _loaded(database: Database, count: int) -> UUID:
    new = NewBatch("bench", str(new_id()), "to do", "sam3", scored.SPEC.dump(), "none")
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
        refs = [ImageRef(f"{n:07d}.jpg", f"file:///images/{n:07d}.jpg") for n in range(count)]
        jobs.load_block(session, batch_id, 0, refs)
        active = {"state": BatchState.ACTIVE, "total": count}
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(active))
    return batch_id


@contextmanager
def _pool(url: str, here: Servers) -> Iterator[Pool]:
    database = Database(url)
    settings = Settings(
        database_url=SecretStr(url),
        redis_url=SecretStr(here.redis.url),
        store_url=(here.folder / "objects").as_uri(),
    )
    yield Pool(settings, database)
    database.close()


#: The measurements, in this order.
SECTIONS: dict[str, Callable[[Run], list[Row]]] = {"lists": Run.lists, "index": Run.index}


def main() -> None:
    """Measure what is asked for and print the table."""
    asked = _asked()
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name,
        servers(Path(name)) as here,
    ):
        print(f"{machine.name()}, fsync {machine.fsync_ms(here.folder):.2f} ms", flush=True)
        run = Run(here, asked)
        for section in asked.only or SECTIONS:
            rows += SECTIONS[section](run)
    sum_up(rows)
    if asked.results:
        content = {"images": asked.images, "rows": [asdict(row) for row in rows]}
        print(f"kept in {machine.save(asked.results, machine.name(), 'counts', content)}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections, no others")
    parser.add_argument("--databases", nargs="+", choices=KINDS, default=KINDS, help="of lists")
    parser.add_argument("--images", type=int, default=100_000, help="in a batch")
    parser.add_argument("--times", type=int, default=2, help="each page is asked for")
    parser.add_argument("--chunks", type=int, default=100, help="finished in a turn")
    parser.add_argument("--turns", type=int, default=4, help="of each database")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
