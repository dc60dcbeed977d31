"""``http`` and ``https`` URLs of images, parsed alike by the submitting side and by workers."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote, unquote, urlsplit

SCHEMES = {"http": 80, "https": 443}

#: Ports below this belong to services other than HTTP, e.g. mail.
_FIRST_FREE_PORT = 1024

#: Long enough for signed URLs; most servers accept no longer ones.
_MAX_CHARACTERS = 8_000

#: Every printable ASCII character but the space, '"', '<', '>', '\\', '^', '`', '{', '|' and '}'.
_SAFE = "!#$%&'()*+,-./:;=?@[]_~"

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_MAX_HOST = 253

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class WebUrl:
    """Where an image lies on the web.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Lower-case ASCII name or address; an IPv6 address without brackets.
        port: 80, 443, or 1024 and above.
        target: Path and query, ASCII, as they go over the wire.
    """

    scheme: str
    host: str
    port: int
    target: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def authority(self) -> str:
        """``host`` or ``host:port``, as the header Host wants it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEMES[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For messages: without the query, which may hold a signature or a key."""
        path, question, _ = self.target.partition("?")
        text = f"{self.scheme}://{self.authority}{path}"
        return f"{text[:200]}{'…' if question or len(text) > 200 else ''}"

    @property
    def path(self) -> str:
        """The path with its escapes undone, from its slash on."""
        return unquote(self.target.partition("?")[0])


def is_web(uri: str) -> bool:
    """Whether a URI's scheme is ``http`` or ``https``."""
    scheme, separator, _ = uri.partition("://")
    return bool(separator) and scheme.lower() in SCHEMES


def without_query(text: str) -> str:
    """A source as it may be shown: a URL without its query, which may hold a key."""
    return text.partition("?")[0] if is_web(text) else text


def shown_address(text: str) -> str:
    """An address of any content as it may be shown: without what may be a password or a key."""
    head, _, query = text.partition("?")
    if "@" in text and not text.startswith("s3://"):
        scheme = head.partition("://")[0]
        # A password may hold signs that end it for whoever reads addresses by the book.
        host = "" if "@" in query else f"@{head.rpartition('@')[2]}"
        head = f"{scheme}://…{host}" if "://" in head else f"…{host}"
    return head[:200]


def split_web(text: str) -> WebUrl:
    """Take a URL to pieces; nothing is looked up.

    Spaces and letters beyond ASCII are escaped, a fragment is dropped.

    Raises:
        ValueError: It is none that is read. The reason completes "this URL …" and repeats no part
            of it: there may be a password inside.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"has {len(text):,} characters, {_MAX_CHARACTERS:,} are allowed")
    if _CONTROLS.search(text):
        raise ValueError("has a control character in it")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("is not valid UTF-8")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("has no proper host or port; https://host/path is one") from None
    if parts.scheme not in SCHEMES:
        raise ValueError("is neither http:// nor https://")
    if "[" in parts.netloc and ":" not in (parts.hostname or ""):
        raise ValueError("has no proper IPv6 address between its brackets")
    if "@" in parts.netloc:
        raise ValueError(
            "has a user name or password in it; those would be stored and logged, so use a signed "
            "URL or copy the image"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    escaped = quote(target, safe=_SAFE)
    return WebUrl(parts.scheme, _host(parts.hostname), _port(parts.scheme, port), escaped)


def _host(host: str | None) -> str:
    if host and ":" in host:
        try:
            address = IPv6Address(host)
        except ValueError:
            raise ValueError("has no proper IPv6 address between its brackets") from None
        if address.scope_id is not None:
            raise ValueError("names a network card; such an address means nothing elsewhere")
        return str(address)
    try:
        # IDNA turns look-alikes of letters, digits and dots into them, before the host is checked.
        ascii_host = (host or "").encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise ValueError("has a host name that cannot be one") from None
    if len(ascii_host) > _MAX_HOST or not _HOST.fullmatch(ascii_host):
        raise ValueError("has no proper host name; https://host/path is one")
    return ascii_host


def _port(scheme: str, port: int | None) -> int:
    if port is None:
        return SCHEMES[scheme]
    if port not in SCHEMES.values() and port < _FIRST_FREE_PORT:
        raise ValueError(f"names port {port}; images are read from 80, 443, and 1024 or above")
    return port


def host_allowed(host: str, patterns: Collection[str]) -> bool:
    """Whether a host is among ``name``, ``*.name`` (any host below it) and ``*`` (any host)."""
    return any(
        pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))
        for pattern in patterns
    )
