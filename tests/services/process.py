"""What every server here has in common: a folder, a port, one child process and its end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

Server = TypeVar("Server")


class Missing(Exception):
    """No program for this service is installed; the message says what to install."""


class DidNotStart(Exception):
    """The service is installed but did not come up; the message ends with its log."""


def serve(context: AbstractContextManager[Server]) -> Iterator[Server]:
    """Body of a fixture around a server: skips where it is missing, but fails where ``CI=true``."""
    try:
        server = context.__enter__()
    except Missing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must bring every service: {error}", pytrace=False)
        pytest.skip(str(error))
    try:
        yield server
    finally:
        context.__exit__(None, None, None)


def free_port() -> int:
    """A TCP port on loopback for a server that cannot choose its own, free a moment ago.

    It lies below those that the kernel gives to clients and to port 0: otherwise a client of
    another process could take it before its server does, or while that server is away. Where
    another test took it nevertheless, ``start_on_free_port`` tries another port.
    """
    for _ in range(100):
        port = random.randrange(10_000, _first_given_port())
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise DidNotStart("a hundred ports of loopback are all taken")


def _first_given_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # no Linux; others begin later
        return 32_768


def start_on_free_port(start: Callable[[int], Server]) -> Server:
    """Start a server on a free port, and on another one if it does not start.

    Args:
        start: Given a port; stops what it started before it raises ``DidNotStart``.

    Raises:
        DidNotStart: For the third time.
    """
    for _ in range(2):
        with suppress(DidNotStart):
            return start(free_port())
    return start(free_port())


@contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """A fresh folder that another user may reach, gone afterwards.

    Postgres runs as another user than root, and pytest's own folders are closed to others, as
    ``TMPDIR`` may be.
    """
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    base = next((folder for folder in candidates if open_to_all(folder)), candidates[0])
    folder = Path(tempfile.mkdtemp(prefix=f"maskpool-{name}-", dir=base))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_to_all(folder: Path) -> bool:
    """Whether every user may walk to ``folder``."""
    folder = folder.resolve()
    return folder.is_dir() and all(
        part.stat().st_mode & 0o001 for part in (folder, *folder.parents)
    )


def stop(process: subprocess.Popen[bytes], first: signal.Signals = signal.SIGTERM) -> None:
    """End one process by its PID: politely, after five seconds by force."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def wait_ready(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path, seconds: float = 30.0
) -> None:
    """Wait until the server answers.

    Raises:
        DidNotStart: It ended or stayed silent; the message ends with its log.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if answers():
            return
        time.sleep(0.02)
    said = log.read_text(errors="replace")[-2000:]
    raise DidNotStart(f"{process.args!r} does not answer (exit {process.poll()}):\n{said}")


def plain_environment() -> dict[str, str]:
    """An environment in which no variable of the developer's shell steers a server."""
    kept = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}
