"""``maskpool submit`` of a large list: seconds, memory, and what a look at the batch costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from bench import machine
from bench.asking import manifest
from bench.pool import Servers, processes
from bench.table import Row
from db import lookup
from db.models import BatchRow
from db.session import Database


def submitting(here: Servers, count: int, stock_rate: float) -> list[Row]:
    """Measure one process of ``maskpool submit``.

    Args:
        here: The servers to submit to.
        count: Images to submit.
        stock_rate: Images a second that the stock way enqueues.
    """
    told, listed = here.fresh(), manifest(here.folder, count)
    began = time.perf_counter()
    largest_mb = _run(["submit", str(listed), "-p", "a", "--json"], told, here.folder)
    seconds = time.perf_counter() - began
    database = Database(told["MASKPOOL_DATABASE_URL"])
    with database.read() as session:
        batch_id = session.scalars(select(BatchRow.id)).one()
        looks = [_timed(lambda: lookup.progress(session, batch_id)) for _ in range(200)]
    database.close()
    return [
        Row(f"submit {count:,} images", seconds, "s", "≤ 15", count / stock_rate),
        Row("  its largest resident size", largest_mb, "MB", "≤ 100"),
        Row("  status of that batch", statistics.median(looks) * 1000, "ms", "≤ 5"),
    ]


def _run(words: list[str], told: dict[str, str], folder: Path) -> float:
    """The command line, to its end; returns the largest resident size of the process, MB."""
    largest_mb = 0.0
    with processes([["-m", "producer.cli", *words]], told, folder) as [submitter]:
        # Not from wait4, whose figure includes this process's size before the exec.
        while submitter.poll() is None:
            largest_mb = max(largest_mb, machine.largest_mb(submitter.pid))
            time.sleep(0.01)
    if submitter.returncode:
        raise SystemExit(f"submit ended with {submitter.returncode}")
    return largest_mb


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
