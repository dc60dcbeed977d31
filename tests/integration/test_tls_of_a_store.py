"""A store behind TLS, whose certificate an authority of the team's own has signed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from services.certificates import Authority

from maskpool.errors import Unreachable
from storage.objects import open_store


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"x")

    def log_message(self, *args: object) -> None:
        pass


class _Server(HTTPServer):
    def handle_error(self, *args: object) -> None:
        """A client that does not trust us is what is tested."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def serving(running: _Server) -> Iterator[int]:
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running.server_port
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.fixture
def secure_port(authority: Authority) -> Iterator[int]:
    running = _Server(("127.0.0.1", 0), _Handler)
    context = authority.serving("127.0.0.1")
    running.socket = context.wrap_socket(running.socket, server_side=True)
    yield from serving(running)


@pytest.fixture
def plain_port() -> Iterator[int]:
    yield from serving(_Server(("127.0.0.1", 0), _Handler))


def test_an_authority_of_the_teams_own_is_named_to_be_trusted(
    secure_port: int, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"https://127.0.0.1:{secure_port}"
    with pytest.raises(Unreachable, match=r"certificate .* not trusted here.*AWS_CA_BUNDLE"):
        open_store("s3://bucket", endpoint_url=endpoint).get("a")

    (tmp_path / "ca.pem").write_text(authority.pem)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    assert open_store("s3://bucket", endpoint_url=endpoint).get("a") == b"x"


def test_an_endpoint_that_speaks_no_tls_is_named(plain_port: int) -> None:
    store = open_store("s3://bucket", endpoint_url=f"https://127.0.0.1:{plain_port}")
    with pytest.raises(Unreachable, match=r"MASKPOOL_S3_ENDPOINT_URL.* http://"):
        store.get("a")
