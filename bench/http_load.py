"""A client that costs little: one socket, prepared bytes, and no more read than the length says."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, Self

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Times:
    """Seconds of each request, and of all together."""

    each: Sequence[float]
    total: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return len(self.each) / self.total

    @property
    def p50_ms(self) -> float:
        """Median of a request, milliseconds."""
        return sorted(self.each)[len(self.each) // 2] * 1000


class Connection:
    """One kept-alive connection to a server on loopback."""

    def __init__(self, port: int, token: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n".encode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        """Ask, and return the body of the answer.

        Raises:
            SystemExit: It is no success.
        """
        about = f"Content-Length: {len(body)}\r\nContent-Type: {kind}\r\n".encode() if body else b""
        head = f"{method} {path} HTTP/1.1\r\n".encode() + self._head + about
        self._socket.sendall(head + b"\r\n" + body)
        return self._answer(f"{method} {path}")

    def send_file(self, path: str, file: BinaryIO) -> bytes:
        """Post a file as it lies on the disk, and return the body of the answer.

        Raises:
            SystemExit: It is no success.
        """
        size = os.fstat(file.fileno()).st_size
        head = f"POST {path} HTTP/1.1\r\nContent-Length: {size}\r\n".encode() + self._head
        self._socket.sendall(head + b"\r\n")
        self._socket.sendfile(file)
        return self._answer(f"POST {path}")

    def _answer(self, asked: str) -> bytes:
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self._more()
        top, _, answer = heard.partition(b"\r\n\r\n")
        found = _LENGTH.search(top)
        while found is not None and len(answer) < int(found[1]):
            answer += self._more()
        if top[9:10] != b"2":
            raise SystemExit(f"{asked}: {top[:20]!r} {answer[:300]!r}")
        return answer

    def _more(self) -> bytes:
        piece = self._socket.recv(1 << 18)
        if not piece:
            raise SystemExit("the server closed the connection")
        return piece


def timed(act: Callable[[], object], times: int) -> Times:
    """Do something again and again."""
    began, each = time.perf_counter(), []
    for _ in range(times):
        before = time.perf_counter()
        act()
        each.append(time.perf_counter() - before)
    return Times(each, time.perf_counter() - began)


def asked(port: int, path: str, times: int, *, clients: int = 1, token: str = "") -> Times:
    """Ask for a path, so many times over each of so many connections at once."""

    def one(_: int) -> Times:
        with Connection(port, token) as connection:
            return timed(lambda: connection.ask("GET", path), times)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        all_of_them = list(threads.map(one, range(clients)))
    each = [seconds for times_of_one in all_of_them for seconds in times_of_one.each]
    return Times(each, time.perf_counter() - began)
