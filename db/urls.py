"""URLs of databases: written by the library that reads them, so that any legal path works."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from maskpool.errors import ConfigError

#: Bytes of the longest path that SQLite opens, so that its ``-journal`` file has a name too
#: (``MAX_PATHNAME`` in SQLite's ``os_unix.c`` is 512).
_MAX_SQLITE_PATH = 504

#: What may follow ``?`` in the URL of a SQLite file: options of Python's driver and, with
#: ``uri=true``, of SQLite itself (https://sqlite.org/uri.html).
_DRIVER_OPTIONS = frozenset(
    {"cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri"}
)
_SQLITE_OPTIONS = frozenset({"cache", "immutable", "mode", "modeof", "nolock", "psow", "vfs"})


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, whatever its path holds.

    Args:
        path: Absolute.

    Raises:
        ConfigError: The path is longer than SQLite opens.
    """
    _require_short(path)
    name = os.fsencode(path)
    try:
        url = URL.create("sqlite", database=name.decode())
    except UnicodeDecodeError:
        # SQLAlchemy's URLs hold text; what is none goes to SQLite as a URI of its own.
        url = URL.create("sqlite", database=f"file:{quote(name)}", query={"uri": "true"})
    return url.render_as_string(hide_password=False)


def normalised(url: str) -> str:
    """The URL with the driver we use.

    Raises:
        ConfigError: It is no URL of a database we know.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ConfigError(
            "MASKPOOL_DATABASE_URL is no URL; write postgresql://user:password@host/name "
            "or sqlite:////absolute/path.db"
        ) from None
    backend = parsed.get_backend_name()
    if backend not in ("postgresql", "postgres", "sqlite"):
        raise ConfigError(f"MASKPOOL_DATABASE_URL: {backend} is not supported; use postgresql://")
    if backend == "sqlite":
        _require_options(url, parsed.query)
        if "uri" not in parsed.query:
            _require_short(Path(parsed.database or "").absolute())
    else:
        parsed = _with_socket(parsed.set(drivername="postgresql+psycopg"))
    return parsed.render_as_string(hide_password=False)


def _require_short(path: Path) -> None:
    size = len(os.fsencode(path))
    if size > _MAX_SQLITE_PATH:
        raise ConfigError(
            f"the path of the database has {size} bytes, and SQLite opens none of more than "
            f"{_MAX_SQLITE_PATH}; choose a folder with a shorter path than {path.parent}"
        )


def _require_options(url: str, query: Mapping[str, object]) -> None:
    """Refuse what SQLAlchemy would pass over: the file before the ``?`` may be another's.

    Raises:
        ConfigError: What follows the ``?`` is not all options.
    """
    _, mark, text = url.partition("?")
    allowed = _DRIVER_OPTIONS | (_SQLITE_OPTIONS if "uri" in query else frozenset())
    pieces = [piece.partition("=") for piece in text.split("&")]
    if mark and not all(value and name in allowed for name, _, value in pieces):
        raise ConfigError(
            "MASKPOOL_DATABASE_URL: what follows the '?' is no option of SQLite; "
            "in the path of a file, write '?' as %3F and '%' as %25"
        )


def _with_socket(url: URL) -> URL:
    """The URL with the folder of a Unix socket where SQLAlchemy expects it, as ``?host=``.

    libpq also takes it in the host's place, percent-encoded: ``postgresql://%2Frun%2Fpg/name``.

    Raises:
        ConfigError: A comma in the folder, at which libpq splits it.
    """
    folder = unquote(url.host or "")
    if folder.startswith("/"):
        url = url.set(host=None).update_query_dict({"host": folder})
    host = url.query.get("host", "")
    if isinstance(host, str) and "," in host and Path(host).is_dir():
        raise ConfigError(
            "MASKPOOL_DATABASE_URL: Postgres splits the folder of a socket at its comma; "
            "make a link without a comma to the folder, and name that"
        )
    return url
