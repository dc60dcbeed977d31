"""What the queue costs here, beside the stock Celery way, in one run on one machine.

    python bench/queue.py                      # everything, some ten minutes
    python bench/queue.py --only working --work 20000
    python bench/queue.py --results bench/results

Real Postgres (fsync on), Redis, dispatcher and workers. In ``submitting``, ``working`` and
``waiting`` nothing is fetched, decoded, segmented or stored: what is left is the queue. In
``behind`` and ``crowd`` a whole pipeline works around a segmenter that sleeps, and ``exporting``
reads real mask objects. *Stock* is ``bench/stock_queue.py``, one message and one ORM row an image,
and for exports ``bench/stock_export.py``, a writer in memory. CPU is user and system time of
every process, by ``/proc``.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: with it ahead, this file would pass for the standard library's queue.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from bench import machine
from bench.crowd import MAX_WORKERS, crowd
from bench.exporting import exporting
from bench.pool import Servers, servers
from bench.stock import Stock, stock_way
from bench.submitting import submitting
from bench.table import Row, show, sum_up
from bench.waiting import behind, waiting
from bench.working import by_chunk, working

#: Smaller pools that are measured first, for a shorter time.
_FEWER_WORKERS = (8, 16, 32)
_FEWER_SECONDS = 20.0


@dataclass
class Run:
    """One run on one machine.

    Attributes:
        series: Figures that are a curve and not a line of the table.
    """

    here: Servers
    asked: argparse.Namespace
    series: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stock: Callable[[int], Stock] = cache(
            lambda instances: stock_way(self.here, self.asked.stock, instances)
        )

    def submitting(self) -> list[Row]:
        """A large list becomes a batch."""
        return submitting(self.here, self.asked.images, self.stock(0).enqueued_per_s)

    def working(self) -> list[Row]:
        """Batches through the queue, by size of chunk."""
        cells = working(self.here, self.asked.work)
        small = by_chunk(self.here, self.asked.work)
        self.series["by_chunk"] = [
            {"chunk": cell.chunk, "images_per_s": cell.images_per_s, "cpu_us": cell.cpu_us}
            for cell in sorted(small + cells, key=lambda cell: cell.chunk)
            if not cell.instances
        ]
        return [row for cell in cells + small for row in cell.rows(self.stock(cell.instances))]

    def waiting(self) -> list[Row]:
        """Somebody waits for an image."""
        return waiting(self.here)

    def behind(self) -> list[Row]:
        """Somebody waits for an image behind a large backlog."""
        return behind(self.here, self.asked.images)

    def exporting(self) -> list[Row]:
        """A batch becomes a COCO file."""
        return exporting(self.here, self.asked.exported)

    def crowd(self) -> list[Row]:
        """Many workers."""
        held = [crowd(self.here, workers, _FEWER_SECONDS) for workers in _FEWER_WORKERS]
        held.append(crowd(self.here, MAX_WORKERS, self.asked.hold))
        self.series["by_workers"] = [
            {"workers": one.workers, "images_per_s": one.images_per_s, "asked": one.asked}
            for one in held
        ]
        return [one.row() for one in held]


#: The measurements, in this order.
SECTIONS: dict[str, Callable[[Run], list[Row]]] = {
    "submitting": Run.submitting,
    "working": Run.working,
    "waiting": Run.waiting,
    "behind": Run.behind,
    "exporting": Run.exporting,
    "crowd": Run.crowd,
}


def main() -> None:
    """Measure what is asked for and print the table."""
    asked = _asked()
    with tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name:
        folder = Path(name)
        with servers(folder) as here:
            fsync_ms = machine.fsync_ms(folder)
            print(f"{machine.name()}, fsync {fsync_ms:.2f} ms", flush=True)
            run, rows = Run(here, asked), []
            for section in asked.only or SECTIONS:
                measured = SECTIONS[section](run)
                show(measured)
                rows += measured
    sum_up(rows)
    if asked.results:
        content: dict[str, Any] = {"fsync_ms": fsync_ms, "rows": [asdict(row) for row in rows]}
        kept = machine.save(asked.results, machine.name(), "queue", content | run.series)
        print(f"kept in {kept}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections, no others")
    parser.add_argument("--images", type=int, default=1_000_000, help="in the large batches")
    parser.add_argument("--exported", type=int, default=200_000, help="images exported")
    parser.add_argument("--work", type=int, default=60_000, help="images through the queue a cell")
    parser.add_argument("--stock", type=int, default=1_500, help="images the stock way")
    parser.add_argument("--hold", type=float, default=120, help="seconds that 64 workers work")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
