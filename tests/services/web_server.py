"""A web server on loopback that a test tells what to answer, badly behaved if need be."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One request: its path and query, its headers, and which connection it came over."""

    target: str
    headers: Message
    client: tuple[str, int]


class Handler(BaseHTTPRequestHandler):
    """Hands the request to the test's own function for the path."""

    protocol_version = "HTTP/1.1"
    site: WebServer

    def do_GET(self) -> None:
        self.site.seen.append(Seen(self.path, self.headers, self.client_address))
        answer = self.site.pages.get(self.path.partition("?")[0])
        if answer is None:
            self.say(404, b"no such page")
        else:
            answer(self)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A proper answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, data: bytes, seconds: float = 0.1) -> None:
        """A byte at a time, until the test is over."""
        for byte in data:
            if self.site.over.wait(seconds):
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Tests read ``seen``."""


Page = Callable[[Handler], None]


@dataclass
class WebServer:
    """Where it is, what it answers by path, and what it was asked."""

    host: str
    port: int = 0
    scheme: str = "http"
    pages: dict[str, Page] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", host: str = "images.test") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def page(self, path: str, body: bytes) -> None:
        """An ordinary file."""
        self.pages[path] = lambda handler: handler.say(200, body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A reader that hangs up on a hostile answer does what it should."""


@contextmanager
def web_server(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[WebServer]:
    """Serve until the end of the block."""
    site = WebServer(host, scheme="http" if tls is None else "https")
    server = _Server((host, port), type("Bound", (Handler,), {"site": site}))
    if tls is not None:
        # Handshakes happen in the thread of the connection: a bad one stops nobody else.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
