"""The local stack: broker, dispatcher and workers as child processes, stopped whatever happens."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import IO, Self

from maskpool import exits
from maskpool.errors import ConfigError, Conflict
from maskpool.setting_lists import roots_text
from maskpool.settings import Settings
from producer.local import endpoints as endpoints_file
from producer.local import private_redis
from producer.local.address import listening_socket
from producer.local.children import Child
from producer.local.endpoints import Endpoints, health_folder

#: A child that dies this often within a minute is not started again.
_MAX_DEATHS = 5

#: The one child that is no program of ours: it writes no health file, and is stopped last.
_BROKER = "redis"

#: A process that only checks whether the home is held releases the lock within this time.
_LOCK_SECONDS = 0.5


class Stack:
    """The embedded profile in one folder; a context manager.

    Args:
        settings: Its ``home`` is locked and holds everything; services it names are used instead
            of private ones.
        source_roots: Folders from which images may be read.
        workers: Worker processes.
        web: Whether a web server belongs to it, and a clerk for what takes longer than a request.

    Raises:
        Conflict: Another stack runs in this home.
        ConfigError: No Redis server is found, or a part refuses its settings.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        source_roots: Sequence[Path],
        workers: int = 1,
        web: bool = False,
    ) -> None:
        self._home = settings.home.resolve()
        self._given = settings
        self._roots = tuple(str(root.resolve()) for root in source_roots)
        self._worker_count = workers
        self._web = web
        self._lock: IO[str] | None = None
        self._sockets: Path | None = None
        self._listening: socket | None = None
        self._children: list[Child] = []
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The settings with which to reach the stack's parts."""
        if self._settings is None:
            raise ConfigError("the stack is not started")
        return self._settings

    @property
    def logs(self) -> Path:
        """Folder of the children's logs."""
        return self._home / "logs"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def watch(self) -> None:
        """Start children again that died, or that hang; call it now and then.

        Raises:
            ConfigError: One of them keeps ending; quotes the last line of its log.
        """
        for child in self._children:
            if child.process is None:
                continue
            if child.process.poll() is None:
                if not child.hangs():
                    continue
                child.kill()
            status = child.process.returncode
            now = time.monotonic()
            child.deaths = [death for death in child.deaths if now - death < 60] + [now]
            # Refused settings are refused again at every start, so another try is useless.
            if status == exits.BAD_INPUT or len(child.deaths) >= _MAX_DEATHS:
                raise ConfigError(
                    f"the {child.name} ended with status {status}: {child.last_log_line()} "
                    f"(whole log: {child.log})"
                )
            child.start()

    def _start(self) -> None:
        self._acquire()
        from db.schema import upgrade  # noqa: PLC0415 - Alembic is slow to import
        from db.urls import sqlite_url  # noqa: PLC0415 - and so is SQLAlchemy

        database_url = self._given.database_url.get_secret_value() or sqlite_url(
            self._home / "maskpool.sqlite"
        )
        redis_url = self._given.redis_url.get_secret_value() or self._start_redis()
        endpoints = Endpoints(
            database_url=database_url,
            redis_url=redis_url,
            store_url=self._given.store_url or (self._home / "objects").as_uri(),
            source_roots=self._roots,
            model=self._given.model,
            serve_address=self._listen() if self._web else "",
        )
        # Its own roots, not those of the environment: they are what its workers are told.
        given = self._given.model_copy(update={"source_roots": ()})
        self._settings = endpoints.applied_to(given)
        upgrade(endpoints.database_url)
        private_redis.await_answer(redis_url)
        environment = _environment(endpoints, self._settings)
        # -P: a folder named db or storage where the user stands must not pass for ours.
        maskpool = [sys.executable, "-P", "-m", "producer.cli"]
        self._spawn("dispatcher", [*maskpool, "dispatch"], environment)
        for number in range(1, self._worker_count + 1):
            self._spawn(f"worker-{number}", [*maskpool, "worker"], environment)
        if self._listening is not None:
            self._spawn("clerk", [*maskpool, "clerk"], environment)
            number = self._listening.fileno()
            serve = [*maskpool, "serve", "--fd", str(number)]
            self._spawn("web", serve, environment, (number,))
        endpoints_file.write(self._home, endpoints)

    def _acquire(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self._home / endpoints_file.LOCK).open("w")
        if not _locked(self._lock):
            self._lock.close()
            self._lock = None
            raise Conflict(
                f"a stack runs in {self._home} already; use it, stop it, or set MASKPOOL_HOME"
            )

    def _listen(self) -> str:
        """Take the web server's address, and keep it while the server is started again."""
        self._listening, address = listening_socket(self._given)
        return address

    def _spawn(
        self,
        name: str,
        command: Sequence[str],
        environment: dict[str, str],
        inherits: Sequence[int] = (),
    ) -> None:
        health = None if name == _BROKER else health_folder(self._home) / f"{name}.json"
        if health is not None:
            environment = {**environment, "MASKPOOL_HEALTH_FILE": str(health)}
        child = Child(name, command, environment, self.logs / f"{name}.log", health, inherits)
        self._children.append(child)
        child.start()

    def _start_redis(self) -> str:
        """Start the private broker; returns its URL."""
        folder, ours = private_redis.socket_folder(self._home)
        self._sockets = folder if ours else None
        self._spawn(_BROKER, private_redis.command(folder), dict(os.environ))
        return private_redis.url(folder)

    def _stop(self) -> None:
        if self._lock is None:  # another stack's home: nothing here is ours
            return
        (self._home / endpoints_file.FILE).unlink(missing_ok=True)
        clients = [child for child in self._children if child.name != _BROKER]
        for child in clients:
            child.ask_to_end()  # all at once; the broker goes last, as the others need it
        for child in (*clients, *self._children):
            child.stop()
        self._children.clear()
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._lock.close()
        self._lock = None


def _locked(lock: IO[str]) -> bool:
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        else:
            return True


def _environment(endpoints: Endpoints, settings: Settings) -> dict[str, str]:
    ours = {
        "MASKPOOL_HOME": str(settings.home.resolve()),
        "MASKPOOL_DATABASE_URL": endpoints.database_url,
        "MASKPOOL_REDIS_URL": endpoints.redis_url,
        "MASKPOOL_STORE_URL": endpoints.store_url,
        "MASKPOOL_SOURCE_ROOTS": roots_text(endpoints.source_roots),
        "MASKPOOL_SOURCE_BUCKETS": ",".join(settings.source_buckets),
        "MASKPOOL_SOURCE_HOSTS": ",".join(settings.source_hosts),
        "MASKPOOL_MODEL": endpoints.model,
        "MASKPOOL_SERVE_ADDRESS": settings.serve_address,
    }
    return {**os.environ, **ours}
