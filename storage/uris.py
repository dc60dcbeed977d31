"""URIs of files and objects, read and written the same way by submitters and workers."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")

_FILE = "file://"


def file_uri(path: str) -> str:
    """The ``file://`` URI of an absolute path.

    Raises:
        UnicodeEncodeError: The path is not valid UTF-8.
    """
    return f"{_FILE}{quote(path)}"


def path_of(uri: str) -> str | None:
    """The absolute path of a ``file://`` URI, or None where it has a host, no such path, or a NUL.

    What follows ``?`` or ``#`` is part of the name: a file has neither query nor fragment.
    """
    if not uri.startswith(_FILE):
        return None
    rest = uri.removeprefix(_FILE).removeprefix("localhost")
    path = unquote(rest, errors="surrogateescape")
    return path if rest.startswith("/") and "\0" not in path else None


def split_s3(uri: str) -> tuple[str, str] | None:
    """Bucket and key of an ``s3://`` URI, or None where it is none.

    Keys are taken as written: such a URI has no escapes, no query and no fragment.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return (bucket, key) if scheme == "s3" and _BUCKET.fullmatch(bucket) else None
