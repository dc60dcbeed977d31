"""Where the server is for those who use it: scheme, prefix and Hosts, from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from maskpool.settings import Settings
from maskpool.settings_web import EVERYWHERE, browser_url

#: Ports that browsers leave out.
_USUAL_PORTS = {"http": ":80", "https": ":443"}

#: What a browser on this machine may call it.
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is.

    Attributes:
        scheme: ``http`` or ``https``: how browsers speak to it, or to the proxy before it.
        hosts: What a request's Host may be, in lower case, without the usual port.
        prefix: Path before all routes, as ``/pool``; empty for none.
        url: The whole of it, without a slash at the end; what links begin with.
    """

    scheme: str
    hosts: frozenset[str]
    prefix: str
    url: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read it from the settings; no header of a request has a say."""
        text = settings.public_url or f"http://{settings.serve_address}"
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host = f"[{host}]" if ":" in host else host
        here = host in (*_LOOPBACK, *EVERYWHERE)
        tail = "" if port is None else f":{port}".removesuffix(_USUAL_PORTS[parts.scheme])
        hosts = frozenset(f"{name}{tail}" for name in ({host, *_LOOPBACK} if here else {host}))
        return cls(parts.scheme, hosts, parts.path, browser_url(settings))

    @property
    def secure(self) -> bool:
        """Whether everything travels under TLS."""
        return self.scheme == "https"

    def allows(self, host: str) -> bool:
        """Whether a request's Host is one of ours."""
        return host.lower().removesuffix(_USUAL_PORTS[self.scheme]) in self.hosts

    def is_origin(self, origin: str) -> bool:
        """Whether an Origin header names this server."""
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme == self.scheme and self.allows(host)
