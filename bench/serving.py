"""What the web server costs here, beside a bare route of its framework and the store alone.

    python bench/serving.py                    # three minutes
    python bench/serving.py --full             # uploads 1 GB in 2,000 files
    python bench/serving.py --only start status
    python bench/serving.py --results bench/results

Real Postgres (fsync on), Redis, one ``maskpool serve`` process, a folder as the store. Clients are
threads of this process with prepared requests over kept-alive connections, so on a machine with two
cores they have one and the server the other. *Stock* is one plain route of FastAPI that
answers with as many bytes (``bench/bare_web.py``); for uploads it is ``put_stream`` of the store,
called with the same files from as many threads, and a bare route that throws each body away: more
than that does not pass through this framework on this machine.
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
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from uuid import UUID

from pydantic import SecretStr
from services.process import free_port

from bench import machine
from bench.asking import Asker, await_end, await_workers, manifest
from bench.bringing import Server, uploads
from bench.http_load import Connection, asked
from bench.listening import listeners
from bench.pool import Servers, processes, servers, until
from bench.predicting import predict
from bench.table import Row, show, sum_up
from db.session import Database
from maskpool.settings import Settings
from producer.accounts import tokens, users
from producer.accounts.audit import NOBODY
from producer.accounts.rights import Right
from producer.pictured import Kind
from producer.pool import Pool
from storage.objects import keys, open_store

#: Connections over which throughput is measured; more threads of Python would only wait.
_CLIENTS = 4

#: Bytes of a thumbnail.
_THUMBNAIL_BYTES = 15_000

#: People who ask and listen.
_USERS = 50

#: Masks of each image of the batch that is looked at.
_INSTANCES = 7


@dataclass
class Run:
    """One web server that listens, and a batch with results."""

    here: Servers
    told: dict[str, str]
    database: Database
    asked: argparse.Namespace
    tokens: list[str]
    batch_id: UUID
    port: int
    pid: int
    started_s: float

    def start(self) -> list[Row]:
        """How soon it listened, and what it takes before it has done anything."""
        return [
            Row("maskpool serve: until it listens", self.started_s, "s", "≤ 2"),
            Row("  its largest resident size", machine.largest_mb(self.pid), "MB", "≤ 150"),
        ]

    def status(self) -> list[Row]:
        """The status of a batch, asked for again and again."""
        path = f"/api/v1/batches/{self.batch_id}"
        with Connection(self.port, self.tokens[0]) as connection:
            size = len(connection.ask("GET", path))
        times = self.asked.requests
        ours = asked(self.port, path, times, clients=_CLIENTS, token=self.tokens[0])
        alone = asked(self.port, path, times, token=self.tokens[0])
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
        with Connection(self.port, self.tokens[0]) as connection:
            images = len(json.loads(connection.ask("GET", path))["images"])
        taken = asked(self.port, path, self.asked.requests // 5 or 1, token=self.tokens[0])
        return [Row(f"a page of {images} images as JSON, p50", taken.p50_ms, "ms", "≤ 30")]

    def thumbnail(self) -> list[Row]:
        """A small picture that was made before."""
        key = keys.thumb_object(self.batch_id, "0", Kind.THUMBNAIL)
        open_store(self.told["MASKPOOL_STORE_URL"]).put(key, os.urandom(_THUMBNAIL_BYTES))
        path = f"/api/v1/batches/{self.batch_id}/images/0/thumbnail"
        taken = asked(self.port, path, self.asked.requests, token=self.tokens[0])
        return [Row("a cached thumbnail, p50", taken.p50_ms, "ms", "≤ 5")]

    def uploads(self) -> list[Row]:
        """Many files, beside the store alone; then the memory of the server."""
        count = 2_000 if self.asked.full else self.asked.files
        bare_web = ["-m", "bench.bare_web", "{port}", "1"]
        with _serving(bare_web, {}, self.here) as (port, pid, _):
            bare = Server(port, pid)
            ours = Server(self.port, self.pid, self.tokens[0])
            return uploads(ours, bare, self.here.folder, count, _CLIENTS)

    def predict(self) -> list[Row]:
        """One image asked about through the server, beside the queue alone."""
        folder, times = self.here.folder, self.asked.predictions
        return predict(self.port, self.tokens[0], self.told, self.database, folder, times)

    def listeners(self) -> list[Row]:
        """Many who listen to events."""
        batch = (self.database, self.batch_id)
        return listeners(self.port, self.pid, self.tokens, self.asked.listeners, batch)


#: The measurements, in this order.
SECTIONS: dict[str, Callable[[Run], list[Row]]] = {
    "start": Run.start,
    "status": Run.status,
    "page": Run.page,
    "thumbnail": Run.thumbnail,
    "uploads": Run.uploads,
    "predict": Run.predict,
    "listeners": Run.listeners,
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


def _tokens(told: dict[str, str], database: Database) -> list[str]:
    settings = Settings(
        database_url=SecretStr(told["MASKPOOL_DATABASE_URL"]),
        redis_url=SecretStr(told["MASKPOOL_REDIS_URL"]),
        store_url=told["MASKPOOL_STORE_URL"],
    )
    pool = Pool(settings, database)
    return [_token(pool, f"reader-{number}") for number in range(_USERS)]


def _token(pool: Pool, name: str) -> str:
    users.create(pool, NOBODY, name, admin=True)
    user = users.find(pool, name)
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
        tokens_of_users = _tokens(told, database)
        print(f"{machine.name()}, fsync {machine.fsync_ms(here.folder):.2f} ms", flush=True)
        with _serving(["-m", "web"], told, here) as (port, pid, seconds):
            who = (tokens_of_users, batch_id)
            run = Run(here, told, database, wanted, *who, port, pid, seconds)
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
    parser.add_argument("--predictions", type=int, default=60, help="asked for")
    parser.add_argument("--listeners", type=int, default=500, help="to events")
    parser.add_argument("--full", action="store_true", help="upload 1 GB in 2,000 files")
    parser.add_argument("--results", type=Path, help="folder in which to keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
