"""URLs of a Redis behind a Unix socket, which Celery and redis-py write in different ways.

Both decode a percent-escape in the path, and both cut the path at a bare ``?``, ``#`` or ``;``.
So a URL is taken apart here, by one rule, and written again for the library that will read it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from maskpool.errors import ConfigError

_SCHEMES = ("unix", "redis+socket")

#: What may follow ``?``, and what redis-py calls it; kombu says ``virtual_host``.
_OPTIONS = {"db": "db", "virtual_host": "db", "username": "username", "password": "password"}


#: Bytes that the path of a Unix socket may have (``sun_path`` in ``unix(7)``).
_MAX_PATH = 107


@dataclass(frozen=True, slots=True)
class SocketUrl:
    """The parts of such a URL, percent-encoded.

    Attributes:
        path: Of the socket.
        login: ``user:password@``, or empty.
        number: Of the database; empty for the first.
    """

    path: str
    login: str = ""
    number: str = ""

    @classmethod
    def of(cls, path: Path) -> SocketUrl:
        """The URL of a socket.

        Raises:
            UnicodeEncodeError: The path is not valid UTF-8; both libraries read it as text.
        """
        return cls(quote(str(path)))

    @classmethod
    def read(cls, url: str) -> SocketUrl | None:
        """Take a URL apart; None where it is of no socket.

        ``#`` and ``;`` belong to the path, and so does a ``?`` that no option follows.

        Raises:
            ConfigError: It has an option that is not read.
        """
        scheme, mark, rest = url.partition("://")
        if not mark or scheme not in _SCHEMES:
            return None
        login, slash, path = rest.partition("/")
        path, options = _split(slash + path)
        if "username" in options or "password" in options:
            login = f"{quote(options.get('username', ''))}:{quote(options.get('password', ''))}@"
        return cls(quote(unquote(path)), login, options.get("db", ""))

    def for_celery(self) -> str:
        """As kombu reads it."""
        query = f"?virtual_host={self.number}" if self.number else ""
        return f"redis+socket://{self.login}{self.path}{query}"

    def for_redis_py(self) -> str:
        """As redis-py reads it."""
        query = f"?db={self.number}" if self.number else ""
        return f"unix://{self.login}{self.path}{query}"


def _split(text: str) -> tuple[str, dict[str, str]]:
    """The path, and the options that follow it."""
    path, mark, tail = text.rpartition("?")
    if not mark or "=" not in tail:
        return text, {}
    found = {_OPTIONS.get(name, ""): value for name, value in parse_qsl(tail)}
    if not found or "" in found or not found.get("db", "0").isdecimal():
        raise ConfigError(
            "MASKPOOL_REDIS_URL: what follows the '?' must be db=NUMBER, username= or password=; "
            "in the path of a socket, write '?' as %3F and '%' as %25"
        )
    return path, found


def fits(path: Path) -> bool:
    """Whether a Unix socket can have this path, and a URL can name it."""
    name = os.fsencode(path)
    return len(name) <= _MAX_PATH and name.decode(errors="replace").encode() == name
