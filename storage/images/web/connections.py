"""Connections to outside hosts: only to an address that was checked, and with a deadline.

A host is looked up once for each connection. Every address it has is checked, and the connection
goes to one of those. The name is not looked up again, so a different answer later cannot lead to an
address that was not checked.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from ipaddress import ip_address

from maskpool.errors import ImageError, Unreachable
from storage.images.web.addresses import Address, Network, refusal
from storage.images.web.timed_socket import Deadline, TimedSocket
from storage.images.web.urls import WebUrl

#: From a host's name and port to its addresses; raises ``socket.gaierror``.
Resolver = Callable[[str, int], Sequence[str]]

#: Longest wait for one address, so that a dead one leaves time for the next.
_CONNECT_SECONDS = 5.0

#: Connections kept open between two images, over all hosts.
_IDLE = 32

#: What a name server answers about a name that does not exist.
_NO_SUCH_HOST = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses that the machine's resolver gives, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(slots=True)
class Connection:
    """An open connection, and the one request at a time that is made over it."""

    key: tuple[str, str, int]
    http: HTTPConnection
    timed: TimedSocket

    def close(self) -> None:
        """Close it."""
        self.http.close()
        self.timed.shut()


class Connector:
    """Opens connections; threads may share one.

    Args:
        networks: Networks that are not public and from which images may be read nevertheless.
        resolve: Looks up the addresses of a host's name.
        tls: For ``https``; None trusts the machine's own authorities, or ``SSL_CERT_FILE``.
    """

    def __init__(
        self,
        networks: Collection[Network] = (),
        resolve: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = tuple(networks)
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()

    def open(self, url: WebUrl, deadline: Deadline) -> Connection:
        """Connect to a URL's host, if each of its addresses may be asked.

        Raises:
            ImageError: There is no such host, an address is refused, or its certificate is wrong.
            Unreachable: The name server or the host does not answer.
            OSError, TimeoutError: The connection breaks, or the time is over.
        """
        addresses = self._judged(url, deadline)
        raw = _connected(url, addresses, deadline)
        try:
            if url.scheme == "https":
                raw.settimeout(deadline.left())
                raw = self._tls.wrap_socket(raw, server_hostname=url.host)
        except ssl.SSLCertVerificationError as error:
            raw.close()
            raise ImageError(
                f"the certificate of {url.host} is not to be trusted ({error.verify_message}); "
                "a team's own authority goes into SSL_CERT_FILE of the workers"
            ) from None
        except BaseException:
            raw.close()
            raise
        timed = TimedSocket(raw, deadline)
        http = HTTPConnection(url.host, url.port)
        http.auto_open = 0  # it must never connect, and look the name up, by itself
        http.sock = timed
        return Connection((url.scheme, url.host, url.port), http, timed)

    def _judged(self, url: WebUrl, deadline: Deadline) -> list[Address]:
        try:
            texts = _within(deadline, lambda: self._resolve(url.host, url.port))
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_HOST:
                raise ImageError(f"there is no host {url.host}") from None
            raise Unreachable(f"the name server for {url.host}", error.strerror or "") from None
        except TimeoutError:
            reason = f"it took longer than {deadline.seconds:g} s (MASKPOOL_WEB_SECONDS)"
            raise Unreachable(f"the name server for {url.host}", reason) from None
        addresses = [ip_address(text) for text in texts]
        for address in addresses:
            if reason := refusal(address, self._networks):
                raise ImageError(
                    f"workers may not read from {url.host}: {address} {reason}; if images lie "
                    "there, add its network to MASKPOOL_SOURCE_NETWORKS of the workers"
                )
        return addresses


def _within(deadline: Deadline, look_up: Callable[[], Sequence[str]]) -> Sequence[str]:
    """A lookup's answer, or TimeoutError: the system's resolver has no deadline of its own."""
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(look_up())
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _connected(url: WebUrl, addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """A socket to the first of the addresses that answers."""
    last = "it has no address"
    for address in addresses:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(min(_CONNECT_SECONDS, deadline.left()))
            raw.connect((str(address), url.port))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raw.close()
            last = f"{address}: {error.strerror or error or type(error).__name__}"
        except BaseException:
            raw.close()
            raise
        else:
            return raw
    raise Unreachable(f"the host {url.authority}", last)


@dataclass(slots=True)
class IdleConnections:
    """Connections between two requests; threads share them."""

    _waiting: list[Connection] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def take(self, url: WebUrl, deadline: Deadline) -> Connection | None:
        """An idle connection to the URL's host, the last used first; closes those that got data."""
        key = (url.scheme, url.host, url.port)
        while (found := self._pop(key)) is not None:
            if not found.timed.spoke():
                found.timed.deadline = deadline
                return found
            found.close()
        return None

    def _pop(self, key: tuple[str, str, int]) -> Connection | None:
        with self._lock:
            for place in reversed(range(len(self._waiting))):
                if self._waiting[place].key == key:
                    return self._waiting.pop(place)
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection for later; if there are too many, the oldest is closed."""
        with self._lock:
            self._waiting.append(connection)
            full = self._closed or len(self._waiting) > _IDLE
            surplus = self._waiting.pop(0) if full else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Close all idle connections, and from now on every one that is returned."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.close()
