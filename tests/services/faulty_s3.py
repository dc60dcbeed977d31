"""An S3 server that fails: a proxy before a real one, on loopback, that hurts requests by chance.

    with faulty_s3(server.endpoint_url, seed=1) as proxy:
        store = open_store("s3://bucket", endpoint_url=proxy.url)
        with proxy.hurting({Fault.SLOW_DOWN: 0.1, Fault.LOST_REPLY: 0.05}):
            ...  # a tenth of all requests is told to slow down
        proxy.injected, proxy.asked  # what was done, and every request that came

It checks ``Content-MD5`` as S3 does, because moto does not.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

#: ``SO_LINGER`` with no time: closing sends a reset instead of a farewell.
_RESET = struct.pack("ii", 1, 0)

#: What belongs to one connection and not to the message.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class Fault(StrEnum):
    """What may happen to a request."""

    SERVER_ERROR = "answered by 500 InternalError"
    SLOW_DOWN = "answered by 503 SlowDown"
    WRONG_CLOCK = "answered by 403 RequestTimeTooSkewed"
    RESET_BEFORE = "connection reset before the server saw it"
    RESET_MIDWAY = "connection reset in the middle of what is sent, or of the answer"
    LOST_REPLY = "done, and the connection reset before the answer"
    SLOW = "held back for some seconds, or until the fault is over"
    SILENT = "never answered; the connection stays until the fault is over"
    TRUNCATED_UPLOAD = "the server sees half of what was sent, and takes it for the whole"
    TRUNCATED_REPLY = "the answer ends in the middle"
    FLIPPED_BYTE = "one byte of the answer is another"


_ANSWERS = {
    Fault.SERVER_ERROR: (500, "InternalError"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.WRONG_CLOCK: (403, "RequestTimeTooSkewed"),
}

_OF_UPLOADS = frozenset({Fault.TRUNCATED_UPLOAD})
_OF_DOWNLOADS = frozenset({Fault.TRUNCATED_REPLY, Fault.FLIPPED_BYTE})


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    #: On the monotonic clock.
    at: float
    method: str
    #: ``bucket/key``, unquoted.
    path: str
    fault: Fault | None

    @property
    def is_upload(self) -> bool:
        return self.method == "PUT"


@dataclass(eq=False)
class _Harm:
    """Some faults for some requests, while it lasts."""

    shares: Mapping[Fault, float]
    only: Callable[[str, str], bool]
    seconds: float
    over: threading.Event = field(default_factory=threading.Event)

    def draw(self, method: str, path: str, chance: float) -> Fault | None:
        """The fault that ``chance``, in [0, 1), points at."""
        if not self.only(method, path):
            return None
        for fault, share in self.shares.items():
            if not _happens_to(fault, method):
                continue
            if chance < share:
                return fault
            chance -= share
        return None


def _happens_to(fault: Fault, method: str) -> bool:
    if fault in _OF_UPLOADS:
        return method == "PUT"
    return fault not in _OF_DOWNLOADS or method == "GET"


@dataclass
class FaultyS3:
    """See the module; every method may be called from any thread.

    Attributes:
        upstream: Endpoint of the server behind it.
        url: Endpoint for the clients.
        injected: How often each fault happened.
        asked: Every request so far, in the order of their coming.
    """

    upstream: str
    rng: random.Random
    url: str = ""
    injected: Counter[Fault] = field(default_factory=Counter)
    asked: list[Asked] = field(default_factory=list)
    _harms: list[_Harm] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def hurting(
        self,
        shares: Mapping[Fault, float],
        *,
        only: Callable[[str, str], bool] = lambda _method, _path: True,
        seconds: float = 3600.0,
    ) -> Iterator[None]:
        """Let faults happen to a share of the requests.

        Args:
            shares: Of the requests that a fault can happen to, in [0, 1]; together at most 1.
            only: Tells by method and ``bucket/key`` whom it may happen to.
            seconds: What ``SLOW`` holds a request back.
        """
        harm = _Harm(shares, only, seconds)
        with self._lock:
            self._harms.append(harm)
        try:
            yield
        finally:
            with self._lock:
                self._harms.remove(harm)
            harm.over.set()

    def count(self, *, since: int = 0, within: str = "", fault: Fault | None = None) -> int:
        """Requests behind the first ``since`` whose path holds ``within``, with that fault."""
        return sum(
            within in one.path and fault in (None, one.fault) for one in list(self.asked)[since:]
        )

    def _strike(self, method: str, path: str) -> tuple[Fault | None, _Harm | None]:
        """What happens to a request that just came."""
        with self._lock:
            # The latest first: an outage is one for whoever had bad luck as well.
            latest = reversed(self._harms)
            drawn = ((one.draw(method, path, self.rng.random()), one) for one in latest)
            fault, harm = next((pair for pair in drawn if pair[0]), (None, None))
            self.asked.append(Asked(time.monotonic(), method, path, fault))
            if fault:
                self.injected[fault] += 1
        return fault, harm


@dataclass(frozen=True)
class _Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # answers "Expect: 100-continue", which clients wait for
    server: _Server

    def do_GET(self) -> None:
        proxy = self.server.proxy
        path = unquote(urlsplit(self.path).path).lstrip("/")
        fault, harm = proxy._strike(self.command, path)
        with suppress(OSError):  # the client may have given up, which is what this is for
            self._hurt(fault, harm)

    do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the names are the server's

    def log_message(self, *_: object) -> None:
        pass

    def _hurt(self, fault: Fault | None, harm: _Harm | None) -> None:
        if fault is Fault.RESET_BEFORE:
            self._reset()
            return
        length = int(self.headers.get("Content-Length", 0))
        if fault is Fault.RESET_MIDWAY and length:
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        if fault in (Fault.SLOW, Fault.SILENT) and harm is not None:
            harm.over.wait(harm.seconds if fault is Fault.SLOW else None)
        if fault is Fault.SILENT:
            self._reset()
        elif fault in _ANSWERS:
            self._answer(_refusal(*_ANSWERS[fault]))
        else:
            self._pass_on(fault, body)

    def _pass_on(self, fault: Fault | None, body: bytes) -> None:
        if fault is Fault.TRUNCATED_UPLOAD:
            body = body[: len(body) // 2]
        reply = self._ask(body)
        if fault is Fault.LOST_REPLY:
            self._reset()
        elif fault in (Fault.RESET_MIDWAY, Fault.TRUNCATED_REPLY):
            self._answer(reply, sent=len(reply.body) // 2)
            if fault is Fault.RESET_MIDWAY:
                self._reset()
        elif fault is Fault.FLIPPED_BYTE and reply.status < 300 and reply.body:
            place = self.server.proxy.rng.randrange(len(reply.body))
            flipped = bytearray(reply.body)
            flipped[place] ^= 0x55
            self._answer(_Reply(reply.status, reply.headers, bytes(flipped)))
        else:
            self._answer(reply)

    def _ask(self, body: bytes) -> _Reply:
        told = self.headers.get("Content-MD5")
        if told and told != md5_of(body):
            return _refusal(400, "BadDigest")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        where = urlsplit(self.server.proxy.upstream)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        try:
            headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body, headers)
            reply = connection.getresponse()
            return _Reply(reply.status, reply.getheaders(), reply.read())
        finally:
            connection.close()

    def _answer(self, reply: _Reply, *, sent: int | None = None) -> None:
        """Send an answer, or only the first bytes of its body and then nothing more."""
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = dict(reply.headers).get("Content-Length", "0")
        self.send_header("Content-Length", length if self.command == "HEAD" else _size(reply))
        self.end_headers()
        self.wfile.write(reply.body[:sent])
        if sent is not None:
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: FaultyS3) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # without the farewell, which would come before a reset

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that gave up


def _size(reply: _Reply) -> str:
    return str(len(reply.body))


def _refusal(status: int, code: str) -> _Reply:
    body = f"<Error><Code>{code}</Code><Message>told by the test</Message></Error>".encode()
    return _Reply(status, [("Content-Type", "application/xml")], body)


def md5_of(data: bytes) -> str:
    """As ``Content-MD5`` carries it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@contextmanager
def faulty_s3(upstream: str, *, seed: int) -> Iterator[FaultyS3]:
    """A proxy before an S3 endpoint; it passes everything on until told otherwise."""
    proxy = FaultyS3(upstream, random.Random(seed))
    server = _Server(proxy)
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="faulty-s3")
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
