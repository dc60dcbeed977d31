"""Real servers and real processes for a benchmark: started here, stopped here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.postgres_server import PostgresServer, running_postgres
from services.process import stop
from services.redis_server import RedisServer, running_redis

from db.schema import upgrade

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Servers:
    """Postgres with its default durability (a commit waits for the disk), and an empty Redis."""

    postgres: PostgresServer
    redis: RedisServer
    folder: Path

    @property
    def pids(self) -> dict[str, list[int]]:
        """The process ids of both, by name."""
        return {"Redis": [self.redis.process.pid], "Postgres": [self.postgres.process.pid]}

    def fresh(self) -> dict[str, str]:
        """The environment for the processes of a new, empty pool."""
        url = self.postgres.url(self.postgres.create())
        upgrade(url)
        return {
            "MASKPOOL_DATABASE_URL": url,
            "MASKPOOL_REDIS_URL": self.redis.url,
            "MASKPOOL_STORE_URL": (self.folder / "objects").as_uri(),
            "MASKPOOL_SOURCE_ROOTS": str(self.folder),
            "MASKPOOL_LOG_LEVEL": "WARNING",
            "MASKPOOL_OWNER": "bench",
        }


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Start both on free ports of loopback."""
    with ExitStack() as stack:
        safe = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
        # A worker keeps up to five connections, and there are 64 of them.
        postgres = stack.enter_context(running_postgres(**safe, max_connections="500"))
        yield Servers(postgres, stack.enter_context(running_redis()), folder)


@contextmanager
def processes(
    commands: Sequence[Sequence[str]], told: dict[str, str], folder: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Python processes, each with a log of its own in ``folder``."""
    running = []
    paths = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])
    environment = {**os.environ, **told, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    try:
        for number, command in enumerate(commands):
            with (folder / f"process-{number}.log").open("wb") as log:
                running.append(
                    subprocess.Popen(
                        [sys.executable, "-P", *command],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=environment,
                        cwd=folder,
                    )
                )
        yield running
    except TakesTooLong:
        for log in sorted(folder.glob("process-*.log")):
            print(f"{log.name}: {log.read_text(errors='replace')[-1000:]}")
        raise
    finally:
        for process in running:
            stop(process)


class TakesTooLong(SystemExit):
    """What a benchmark waits for did not happen in time."""


def until(holds: Callable[[], object], seconds: float = 120, every: float = 0.02) -> None:
    """Wait until a condition holds.

    Raises:
        TakesTooLong: It did not hold in time.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TakesTooLong("it takes too long")
        time.sleep(every)
