"""A private S3 API: moto's threaded server in a child process that ends with its parent."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import count
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from services.process import DidNotStart, Missing, server_folder, stop

#: The server ends when this process's end of the pipe closes, however that comes about.
_PROGRAM = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""

_numbers = count(1)


def share_descriptions() -> None:
    """Let every client of this process read what botocore knows of S3 once, not each for itself.

    Most of the time of making a client goes into that.
    """
    botocore.session.create_loader = cache(botocore.session.create_loader)


@dataclass(frozen=True)
class S3Server:
    """A running server; tests may stop or kill its process."""

    endpoint_url: str
    process: subprocess.Popen[bytes]
    access_key: str = "test"
    secret_key: str = "test"

    def client(self, **config: Any) -> Any:
        """A boto3 client with this server's keys; ``config`` is botocore's."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, **config),
        )

    def create_bucket(self) -> str:
        """Create a bucket. Returns its name."""
        name = f"bucket-{next(_numbers)}"
        self._own_client.create_bucket(Bucket=name)
        return name

    @cached_property
    def _own_client(self) -> Any:
        """Made once: that takes longer than all other work of many a test."""
        return self.client()

    def close(self) -> None:
        """Close what ``create_bucket`` holds open."""
        if "_own_client" in vars(self):
            self._own_client.close()


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """An empty S3 API on a free port of loopback; any credentials are accepted.

    Raises:
        Missing: moto is not installed.
    """
    if importlib.util.find_spec("moto") is None:
        raise Missing("no S3 server: `pip install 'moto[server]'`")
    with server_folder("s3") as folder, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        try:
            port = process.stdout.readline().strip().decode()
            if not port:
                said = (folder / "log").read_text(errors="replace")[-2000:]
                raise DidNotStart(f"moto's server did not start:\n{said}")
            with closing(S3Server(f"http://127.0.0.1:{port}", process)) as server:
                yield server
        finally:
            stop(process)
            process.stdin.close()
            process.stdout.close()
