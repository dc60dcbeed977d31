"""Many files brought to the web server, beside the store alone."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.http_load import Connection, timed
from bench.table import Row
from storage.objects import open_store

#: Bytes of a file: 2,000 of them are 1 GB.
_FILE_BYTES = 500_000


@dataclass(frozen=True)
class Server:
    """One that files are brought to; its token may upload."""

    port: int
    pid: int
    token: str = ""


@dataclass(frozen=True)
class _Came:
    """How fast files came, and the CPU of the server for each, in milliseconds."""

    mb_per_s: float
    cpu_ms: float


def uploads(ours: Server, bare: Server, folder: Path, count: int, clients: int) -> list[Row]:
    """Files one by one, then the same as one archive; then the memory of the server.

    Args:
        ours: The web server.
        bare: Reads bodies and throws them away.
        folder: For files of the client, and for the store alone.
        count: Files.
        clients: That bring them at once.
    """
    content = os.urandom(_FILE_BYTES)
    alone = _stored(folder, count, content, clients)
    with Connection(ours.port, ours.token) as connection:
        by_one, at_once = (_begun(connection) for _ in range(2))
    put = [_brought(*to, count, content, clients) for to in ((ours, by_one), (bare, ""))]
    tar = [_as_tar(*to, folder, count, content) for to in ((ours, at_once), (bare, ""))]
    what = f"{count:,} files of {_FILE_BYTES // 1000} kB uploaded; stock: the folder alone"
    return [
        *_rows(what, *put, alone, f"{clients} clients"),
        *_rows("  the same as one .tar", *tar, alone, "one client"),
        Row("  largest resident size", machine.largest_mb(ours.pid), "MB", "≤ 150"),
    ]


def _rows(what: str, ours: _Came, bare: _Came, alone: float, who: str) -> list[Row]:
    rate = (ours.mb_per_s, "MB/s", "")
    return [
        Row(what, *rate, alone, f"{who}; CPU {ours.cpu_ms:.1f} ms a file"),
        Row("    of what the store takes alone", 100 * ours.mb_per_s / alone, "%", "≥ 80"),
        # Both work on these cores, one after the other.
        Row(
            "    … that store and bare route would reach together",
            100 / (1 + alone / bare.mb_per_s),
            "%",
        ),
        Row(
            "    stock: a bare route that throws them away",
            *rate,
            bare.mb_per_s,
            f"{who}; its CPU {bare.cpu_ms:.1f} ms a file",
        ),
    ]


def _measured(to: Server, count: int, act: Callable[[], object]) -> _Came:
    cpu, took = machine.cpu_seconds(to.pid), timed(act, 1).total
    cpu_ms = (machine.cpu_seconds(to.pid) - cpu) / count * 1000
    return _Came(count * _FILE_BYTES / 1e6 / took, cpu_ms)


def _brought(to: Server, base: str, count: int, content: bytes, clients: int) -> _Came:
    def bring(first: int) -> None:
        with Connection(to.port, to.token) as connection:
            for number in range(first, count, clients):
                connection.ask("PUT", f"{base}/files/{number}.jpg", content)

    return _measured(to, count, lambda: _all_at_once(bring, clients))


def _as_tar(to: Server, base: str, folder: Path, count: int, content: bytes) -> _Came:
    path = folder / "all.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with Connection(to.port, to.token) as connection, path.open("rb") as file:
        came = _measured(to, count, lambda: connection.send_file(f"{base}/tar", file))
    path.unlink()
    return came


def _stored(folder: Path, count: int, content: bytes, clients: int) -> float:
    store = open_store((folder / "alone").as_uri())

    def put(first: int) -> None:
        for number in range(first, count, clients):
            store.put_stream(f"{number}.jpg", iter([content]), len(content))

    took = timed(lambda: _all_at_once(put, clients), 1).total
    return count * _FILE_BYTES / 1e6 / took


def _begun(connection: Connection) -> str:
    made = connection.ask("POST", "/api/v1/uploads", b'{"name": "bench"}', "application/json")
    return f"/api/v1/uploads/{json.loads(made)['id']}"


def _all_at_once(act: Callable[[int], None], clients: int) -> None:
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(act, range(clients)))
