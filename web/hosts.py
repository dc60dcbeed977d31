"""The first thing a request meets: whether it is for us, and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from web.place import Place
from web.problems import Problem, answer

#: A load balancer asks these by a machine's address; they give nothing away.
_FOR_ANY_HOST = frozenset({"/healthz", "/readyz"})

Network = IPv4Network | IPv6Network


class Hosts:
    """Refuses requests for other Hosts, as those of a page whose name was bound to our address.

    Scheme and path prefix are those of the settings, whatever a header says.

    Args:
        app: What comes behind it.
        place: Where the server is.
        proxies: Networks of proxies, whose word on a client's address counts.
    """

    def __init__(self, app: ASGIApp, place: Place, proxies: Sequence[Network] = ()) -> None:
        self._app = app
        self._place = place
        self._proxies = tuple(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts = _values(scope, b"host")
        allowed = len(hosts) == 1 and self._place.allows(hosts[0])
        if not allowed and scope["path"] not in _FOR_ANY_HOST:
            await answer(self._refusal(hosts))(scope, receive, send)
            return
        if not _is_text(scope):
            sentence = "the address holds bytes that are no UTF-8; percent-encode names as UTF-8"
            await answer(Problem(400, "address", sentence))(scope, receive, send)
            return
        seen = {**scope, "scheme": self._place.scheme, "client": self._client(scope)}
        await self._app(seen | {"root_path": self._place.prefix}, receive, send)

    def _refusal(self, hosts: Sequence[str]) -> Problem:
        host = hosts[0][:200] if hosts else ""
        return Problem(
            421,
            "host",
            f"this server is {self._place.url} and does not answer for {host!r}; "
            "set MASKPOOL_PUBLIC_URL to the address that people use",
            host=host,
        )

    def _client(self, scope: Scope) -> tuple[str, int] | None:
        """Address and port of whoever asks: the nearest one that is no proxy of ours."""
        client: tuple[str, int] | None = scope["client"]
        if client is None or not self._is_proxy(client[0]):
            return client
        said = ",".join(_values(scope, b"x-forwarded-for")).split(",")
        for address in reversed([part.strip() for part in said]):
            if not _is_address(address):
                return client
            client = (address, 0)
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies or not _is_address(address):
            return False
        return any(ip_address(address) in net for net in self._proxies)


def _values(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in headers if key == name]


def _is_text(scope: Scope) -> bool:
    """Whether a path is what was sent: a server decodes bad bytes to one and the same sign."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        return True
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
