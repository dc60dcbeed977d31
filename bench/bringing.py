"""Many files brought to the web server, beside the store alone."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import machine
from bench.http_load import Connection, timed
from bench.table import Row
from storage.objects import open_store

#: Bytes of a file: 2,000 of them are 1 GB.
_FILE_BYTES = 500_000


def uploads(port: int, pid: int, token: str, folder: Path, count: int, clients: int) -> list[Row]:
    """Files one by one, then the same as one archive; then the memory of the server.

    Args:
        port: Of the server.
        pid: Of the server's process.
        token: Of somebody who may upload.
        folder: For files of the client, and for the store alone.
        count: Files.
        clients: That bring them at once.
    """
    content = os.urandom(_FILE_BYTES)
    alone = _stored(folder, count, content, clients)
    cpu = machine.cpu_seconds(pid)
    ours = _brought(port, token, count, content, clients)
    ours_cpu, cpu = machine.cpu_seconds(pid) - cpu, machine.cpu_seconds(pid)
    tar = _as_tar(port, token, folder, count, content)
    tar_cpu = machine.cpu_seconds(pid) - cpu
    note = (
        f"{clients} clients; stock: the folder alone; CPU {ours_cpu / count * 1000:.1f} ms a file"
    )
    what = f"{count:,} files of {_FILE_BYTES // 1000} kB uploaded; stock: the folder alone"
    return [
        Row(what, ours, "MB/s", "", alone, note),
        Row("  of what the store takes alone", 100 * ours / alone, "%", "≥ 80"),
        Row(
            "  the same as one .tar",
            *(tar, "MB/s", "", alone, f"one client; CPU {tar_cpu / count * 1000:.1f} ms a file"),
        ),
        Row("    of what the store takes alone", 100 * tar / alone, "%", "≥ 80"),
        Row("  largest resident size", machine.largest_mb(pid), "MB", "≤ 150"),
    ]


def _brought(port: int, token: str, count: int, content: bytes, clients: int) -> float:
    with Connection(port, token) as connection:
        base = f"{_begun(connection)}/files"

    def bring(first: int) -> None:
        with Connection(port, token) as connection:
            for number in range(first, count, clients):
                connection.ask("PUT", f"{base}/{number}.jpg", content)

    return _megabytes_per_s(bring, count, clients)


def _as_tar(port: int, token: str, folder: Path, count: int, content: bytes) -> float:
    path = folder / "all.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with Connection(port, token) as connection, path.open("rb") as file:
        url = f"{_begun(connection)}/tar"
        took = timed(lambda: connection.send_file(url, file), 1).total
    path.unlink()
    return count * _FILE_BYTES / 1e6 / took


def _stored(folder: Path, count: int, content: bytes, clients: int) -> float:
    store = open_store((folder / "alone").as_uri())

    def put(first: int) -> None:
        for number in range(first, count, clients):
            store.put_stream(f"{number}.jpg", iter([content]), len(content))

    return _megabytes_per_s(put, count, clients)


def _begun(connection: Connection) -> str:
    made = connection.ask("POST", "/api/v1/uploads", b'{"name": "bench"}', "application/json")
    return f"/api/v1/uploads/{json.loads(made)['id']}"


def _megabytes_per_s(act: Callable[[int], None], count: int, clients: int) -> float:
    def all_at_once() -> None:
        with ThreadPoolExecutor(clients) as threads:
            list(threads.map(act, range(clients)))

    return count * _FILE_BYTES / 1e6 / timed(all_at_once, 1).total
