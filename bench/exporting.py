"""What ``maskpool export`` costs: images a second, and memory, beside a writer in memory.

    python bench/exporting.py                        # 200,000 images
    python bench/exporting.py --images 1000000       # needs 25 GB of disk

Real Postgres and a folder store, 7 instances an image, 64 images an object; the batch is filled by
``bench/filling.py``, not by workers. *Stock* is ``bench/stock_export.py`` over few images: its time
an image, and its memory an image times the images of the batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: queue.py in it would pass for the standard library's.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from uuid import UUID

from bench import machine
from bench.filling import fill
from bench.pool import Servers, servers
from bench.table import Row, show
from db.session import Database
from storage.objects import open_store

INSTANCES = 7

#: Most images of the small batch, which the stock way writes and which shows if memory grows.
_SMALL = 10_000

#: Between two looks at a process.
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Ran:
    """One process from its start to its end."""

    seconds: float
    peak_mb: float


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where to put the objects and the file")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="maskpool-bench-", dir=asked.folder) as name,
        servers(Path(name)) as here,
    ):
        print(machine.name(), flush=True)
        rows = exporting(here, asked.images)
    show(rows)
    if asked.results:
        content = {"images": asked.images, "rows": [asdict(row) for row in rows]}
        print(f"kept in {machine.save(asked.results, machine.name(), 'export', content)}")


def exporting(here: Servers, images: int) -> list[Row]:
    """``maskpool export`` of a small batch and of one of ``images``, beside the stock writer."""
    told = here.fresh()
    database = Database(told["MASKPOOL_DATABASE_URL"])
    store = open_store(told["MASKPOOL_STORE_URL"])
    target, few = here.folder / "coco.json", min(_SMALL, images // 2)
    began = time.perf_counter()
    small, large = (fill(database, store, count, INSTANCES) for count in (few, images))
    filled = time.perf_counter() - began
    database.close()
    stock = {count: _stock(told, small, count, target) for count in (few // 5, few)}
    before, ours = (_run(told, *_export(batch, target)) for batch in (small, large))
    size_gb = target.stat().st_size / 1e9
    target.unlink()
    rate, mb = _stock_way(stock, images)
    note = f"stock: extrapolated from {few:,} images"
    return [
        Row(f"export {images:,} images", images / ours.seconds, "images/s", "≥ 3,000", rate),
        Row("  its largest resident size", ours.peak_mb, "MB", "≤ 150", mb, note),
        Row(f"  that of {few:,} images", before.peak_mb, "MB"),
        Row("  the file", size_gb, "GB", note=_how(filled)),
    ]


def _stock_way(stock: dict[int, Ran], images: int) -> tuple[float, float]:
    """Images a second, and megabytes for ``images``; both from what more images cost more."""
    (few, short), (many, long) = sorted(stock.items())
    mb_an_image = (long.peak_mb - short.peak_mb) / (many - few)
    rate = (many - few) / (long.seconds - short.seconds)
    return rate, short.peak_mb + (images - few) * mb_an_image


def _how(filled: float) -> str:
    return f"{INSTANCES} instances an image; batches filled in {filled:.0f} s"


def _export(batch: UUID, target: Path) -> list[str]:
    return ["-m", "producer.cli", "export", str(batch), "-o", str(target), "--json"]


def _stock(told: dict[str, str], batch: UUID, count: int, target: Path) -> Ran:
    script = str(ROOT / "bench" / "stock_export.py")
    return _run(told, "-P", script, str(batch), str(count), str(target))


def _run(told: dict[str, str], *words: str) -> Ran:
    """Run Python to its end."""
    began, peak_mb = time.perf_counter(), 0.0
    environment = {**os.environ, **told, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak_mb = max(peak_mb, _peak_mb(process.pid))
        time.sleep(_LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return Ran(time.perf_counter() - began, peak_mb)


def _peak_mb(pid: int) -> float:
    """Largest resident size so far; what ``wait4`` tells counts ours too, from before the exec."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
