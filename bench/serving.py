"""What the web server costs here, beside a bare route of its framework and the store alone.

    python bench/serving.py                    # two minutes
    python bench/serving.py --full             # uploads 1 GB in 2,000 files
    python bench/serving.py --only start status
    python bench/serving.py --results bench/results

Real Postgres (fsync on), Redis, one ``maskpool serve`` process, a folder as the store. Clients are
threads of this process with prepared requests over kept-alive connections, so on a machine with two
cores they have one and the server the other. *Stock* is one plain route of FastAPI that
answers with as many bytes (``bench/bare_web.py``); for uploads it is ``put_stream`` of the store,
called with the same files from as many threads.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    # Not this folder: its queue.py would pass for the standard library's.
    sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from uuid import UUID

from pydantic import SecretStr
from services.process import free_port

from bench import machine
from bench.asking import Asker, await_end, await_workers, manifest
from bench.http_load import Connection, asked, timed
from bench.pool import Servers, processes, servers, until
from bench.table import Row, show, sum_up
from db.session import Database
from maskpool.settings import Settings
from producer.accounts import tokens, users
from producer.accounts.audit import NOBODY
from producer.accounts.rights import Right
from producer.pool import Pool
from storage.objects import open_store

#: Connections over which throughput is measured; more threads of Python would only wait.
_CLIENTS = 4

#: Bytes of an uploaded file: 2,000 of them are 1 GB.
_FILE_BYTES = 500_000

#: Masks of each image of the batch that is looked at.
_INSTANCES = 7


@dataclass
class Run:
    """One web server that listens, and a batch with results."""

    here: Servers
    asked: argparse.Namespace
    port: int
    pid: int
    started_s: float
    token: str
    batch_id: UUID

    def start(self) -> list[Row]:
        """How soon it listened, and what it takes before it has done anything."""
        return [
            Row("maskpool serve: until it listens", self.started_s, "s", "≤ 2"),
            Row("  its largest resident size", machine.largest_mb(self.pid), "MB", "≤ 150"),
        ]

    def status(self) -> list[Row]:
        """The status of a batch, asked for again and again."""
        path = f"/api/v1/batches/{self.batch_id}"
        with Connection(self.port, self.token) as connection:
            size = len(connection.ask("GET", path))
        times = self.asked.requests
        ours = asked(self.port, path, times, clients=_CLIENTS, token=self.token)
        alone = asked(self.port, path, times, token=self.token)
        with _serving(["-m", "bench.bare_web", "{port}", str(size)], {}, self.here) as (port, _, _):
            bare = asked(port, "/", times, clients=_CLIENTS)
            bare_alone = asked(port, "/", times)
        note = f"{_CLIENTS} clients"
        return [
            Row("status of a batch, one process", ours.per_s, "/s", "≥ 1,000", bare.per_s, note),
            Row("  p50, one client", alone.p50_ms, "ms", "≤ 5", bare_alone.p50_ms),
        ]

    def page(self) -> list[Row]:
        """A page of images as JSON."""
        path = f"/api/v1/batches/{self.batch_id}/images?limit=100"
        with Connection(self.port, self.token) as connection:
            images = len(json.loads(connection.ask("GET", path))["images"])
        taken = asked(self.port, path, self.asked.requests // 5 or 1, token=self.token)
        return [Row(f"a page of {images} images as JSON, p50", taken.p50_ms, "ms", "≤ 30")]

    def uploads(self) -> list[Row]:
        """Many files, beside the store alone; then the memory of the server."""
        count = 2_000 if self.asked.full else self.asked.files
        content = os.urandom(_FILE_BYTES)
        ours, alone = self._brought(count, content), self._stored(count, content)
        return [
            Row(
                f"{count:,} files of {_FILE_BYTES // 1000} kB uploaded",
                *(ours, "MB/s", "", alone, f"{_CLIENTS} clients; stock: the folder alone"),
            ),
            Row("  of what the store takes alone", 100 * ours / alone, "%", "≥ 80"),
            Row("  largest resident size", machine.largest_mb(self.pid), "MB", "≤ 150"),
        ]

    def _brought(self, count: int, content: bytes) -> float:
        with Connection(self.port, self.token) as connection:
            body = b'{"name": "bench"}'
            made = connection.ask("POST", "/api/v1/uploads", body, "application/json")
        base = f"/api/v1/uploads/{json.loads(made)['id']}/files"

        def bring(first: int) -> None:
            with Connection(self.port, self.token) as connection:
                for number in range(first, count, _CLIENTS):
                    connection.ask("PUT", f"{base}/{number}.jpg", content)

        return _megabytes_per_s(bring, count)

    def _stored(self, count: int, content: bytes) -> float:
        store = open_store((self.here.folder / "alone").as_uri())

        def put(first: int) -> None:
            for number in range(first, count, _CLIENTS):
                store.put_stream(f"{number}.jpg", iter([content]), len(content))

        return _megabytes_per_s(put, count)


def _megabytes_per_s(act: Callable[[int], None], count: int) -> float:
    def all_at_once() -> None:
        with ThreadPoolExecutor(_CLIENTS) as threads:
            list(threads.map(act, range(_CLIENTS)))

    return count * _FILE_BYTES / 1e6 / timed(all_at_once, 1).total


#: The measurements, in this order.
SECTIONS: dict[str, Callable[[Run], list[Row]]] = {
    "start": Run.start,
    "status": Run.status,
    "page": Run.page,
    "uploads": Run.uploads,
}


@contextmanager
def _serving(
    command: list[str], told: dict[str, str], here: Servers
) -> Iterator[tuple[int, int, float]]:
    """A server process; yields its port, its process id and the seconds until it listened."""
    port, began = free_port(), time.perf_counter()
    words = [word.format(port=port) for word in command]
    address = {"MASKPOOL_SERVE_ADDRESS": f"127.0.0.1:{port}"}
    with processes([words], told | address, here.folder) as [process]:
        until(lambda: _listens(port), every=0.005)
        yield port, process.pid, time.perf_counter() - began


def _listens(port: int) -> bool:
    try:
        with Connection(port):
            return True
    except OSError:
        return False


def _batch(database: Database, told: dict[str, str], folder: Path, count: int) -> UUID:
    """A batch with results, which nobody looked for."""
    commands = [
        ["-m", "producer.cli", "dispatch"],
        ["-m", "bench.queue_worker", "64", str(_INSTANCES)],
    ]
    with Asker(database, told) as asker, processes(commands, told, folder):
        await_workers(database, 1)
        batch_id = asker.submit(manifest(folder, count))
        await_end(database, batch_id)
    return batch_id


def _token(told: dict[str, str], database: Database) -> str:
    settings = Settings(
        database_url=SecretStr(told["MASKPOOL_DATABASE_URL"]),
        redis_url=SecretStr(told["MASKPOOL_REDIS_URL"]),
        store_url=told["MASKPOOL_STORE_URL"],
    )
    pool = Pool(settings, database)
    users.create(pool, NOBODY, "reader", admin=True)
    user = users.find(pool, "reader")
    return tokens.issue(pool, NOBODY, user.id, "bench", rights=list(Right), days=1).text


def main() -> None:
    """Measure what is asked for and print the table."""
    wanted = _asked()
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="maskpool-bench-") as name,
        servers(Path(name)) as here,
    ):
        told = here.fresh()
        database = Database(told["MASKPOOL_DATABASE_URL"])
        batch_id = _batch(database, told, here.folder, wanted.images)
        token = _token(told, database)
        print(f"{machine.name()}, fsync {machine.fsync_ms(here.folder):.2f} ms", flush=True)
        with _serving(["-m", "web"], told, here) as (port, pid, seconds):
            run = Run(here, wanted, port, pid, seconds, token, batch_id)
            for section in wanted.only or SECTIONS:
                measured = SECTIONS[section](run)
                show(measured)
                rows += measured
        database.close()
    sum_up(rows)
    if wanted.results:
        content = {"rows": [asdict(row) for row in rows]}
        print(f"kept in {machine.save(wanted.results, machine.name(), 'serving', content)}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections, no others")
    parser.add_argument("--images", type=int, default=20_000, help="in the batch looked at")
    parser.add_argument("--requests", type=int, default=1_000, help="over each connection")
    parser.add_argument("--files", type=int, default=200, help="uploaded")
    parser.add_argument("--full", action="store_true", help="upload 1 GB in 2,000 files")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
