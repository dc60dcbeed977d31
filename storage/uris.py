"""URIs of files and objects, read and written the same way by submitters and workers."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote_to_bytes

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")

_FILE = "file://"


def file_uri(path: str) -> str:
    """The ``file://`` URI of an absolute path, in ASCII.

    The path's bytes are quoted as they are on the disk, so one that is not UTF-8 survives as well.
    """
    return f"{_FILE}{quote(os.fsencode(path))}"


def path_of(uri: str) -> str | None:
    """The absolute path of a ``file://`` URI, or None where it has a host, no such path, or a NUL.

    What follows ``?`` or ``#`` is part of the name: a file has neither query nor fragment.
    """
    if not uri.startswith(_FILE):
        return None
    rest = uri.removeprefix(_FILE).removeprefix("localhost")
    path = os.fsdecode(unquote_to_bytes(os.fsencode(rest)))
    return path if rest.startswith("/") and "\0" not in path else None


def split_s3(uri: str) -> tuple[str, str] | None:
    """Bucket and key of an ``s3://`` URI, or None where it is none.

    Keys are taken as written: such a URI has no escapes, no query and no fragment.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return (bucket, key) if scheme == "s3" and _BUCKET.fullmatch(bucket) else None
