"""Settings that hold several values in one variable: how they are read and written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_network
from pathlib import Path

#: ``*``, a name or an IPv4 address, or ``*.`` before a name.
_HOST_PATTERN = re.compile(r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def read_roots(value: object) -> object:
    """Folders between ``os.pathsep``, or a JSON list where the text begins with ``[``.

    Raises:
        ValueError: It begins with ``[`` and is no list of paths.
    """
    if not isinstance(value, str):
        return value
    return tuple(Path(os.path.realpath(part)) for part in _root_texts(value))


def roots_text(roots: Iterable[str]) -> str:
    """The text that ``read_roots`` reads, whatever the folders are called."""
    return json.dumps(list(roots))


def _root_texts(value: str) -> list[str]:
    if not value.lstrip().startswith("["):
        return [part for part in value.split(os.pathsep) if part]
    try:
        listed = json.loads(value)
    except ValueError:
        listed = None
    if isinstance(listed, list) and all(isinstance(part, str) and part for part in listed):
        return listed
    raise ValueError(
        'it begins with [ and is no JSON list of folders, such as ["/data/a:b", "/data/c"]; '
        "a folder whose own name begins with [ is written ./[name"
    )


def read_names(value: object) -> object:
    """Words between commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def read_hosts(value: object) -> object:
    """Patterns of hosts between commas, or in any collection.

    Raises:
        ValueError: One is no pattern.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Iterable):
        return value  # refused as what it is
    return tuple(_host_pattern(str(part)) for part in parts if str(part).strip())


def read_networks(value: object) -> object:
    """Networks between commas.

    Raises:
        ValueError: One is no network.
    """
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"{error}; write a network as 10.1.2.0/24") from None


def _host_pattern(text: str) -> str:
    host = text.strip().lower()
    if ":" in host:
        return str(IPv6Address(host))
    if not _HOST_PATTERN.fullmatch(host):
        raise ValueError(f"{host!r} is no host; write images.org, *.images.org or *")
    return host
