"""A socket's path reaches Celery and redis-py as it is, whatever it holds."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hostile.paths import ALL_IN_ONE, NAMES
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection
from kombu.utils.url import url_to_parts
from redis.connection import parse_url

from maskpool import socket_url, wire
from maskpool.errors import ConfigError
from maskpool.socket_url import SocketUrl

parts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1)


def path_for_celery(url: str) -> str:
    """What kombu connects to; the same two steps as in its Redis transport."""
    inside = Connection(wire.celery_url(url))
    assert not inside.alt, "it is one server, not several"
    place = url_to_parts(inside.hostname)
    assert place.scheme == "socket"
    return f"/{place.path}"


@given(parts)
def test_both_libraries_read_the_path_that_was_written(part: str) -> None:
    path = f"/run/{part}/redis.sock"
    url = SocketUrl.of(Path(path)).for_celery()
    assert path_for_celery(url) == str(Path(path))
    assert parse_url(wire.redis_py_url(url))["path"] == str(Path(path))
    assert wire.redis_py_url(wire.redis_py_url(url)) == wire.redis_py_url(url)
    assert wire.celery_url(wire.redis_py_url(url)) == url


@pytest.mark.parametrize("name", [*NAMES, ALL_IN_ONE])
@pytest.mark.parametrize("scheme", ["unix", "redis+socket"])
def test_what_a_user_escapes_is_read_once(name: str, scheme: str) -> None:
    url = f"{scheme}://{quote(f'/run/{name}/redis.sock')}"
    assert path_for_celery(url) == f"/run/{name}/redis.sock"
    assert parse_url(wire.redis_py_url(url))["path"] == f"/run/{name}/redis.sock"


@pytest.mark.parametrize("name", ["a#b", "x;y", "d:one", "a b", "what?v2", "100%", "[1]", "é,é"])
def test_a_path_that_is_not_escaped_is_read_whole(name: str) -> None:
    url = f"redis+socket:///run/{name}/redis.sock"
    assert path_for_celery(url) == f"/run/{name}/redis.sock"
    assert parse_url(wire.redis_py_url(url))["path"] == f"/run/{name}/redis.sock"


@pytest.mark.parametrize(
    "url",
    [
        "unix://ann:p%40w@/run/a%3Fb?db=2",
        "redis+socket://ann:p%40w@/run/a%3Fb?virtual_host=2",
        "unix:///run/a%3Fb?db=2&username=ann&password=p%40w",
    ],
)
def test_the_number_of_the_database_and_a_login_reach_both(url: str) -> None:
    read = parse_url(wire.redis_py_url(url))
    found = (read["path"], read["db"], read["username"], read["password"])
    assert found == ("/run/a?b", 2, "ann", "p@w")
    place = url_to_parts(Connection(wire.celery_url(url)).hostname)
    assert (place.username, place.password, place.query) == ("ann", "p@w", {"virtual_host": "2"})


@pytest.mark.parametrize("query", ["v=2", "db=two", "db=1&v=2", "socket_timeout=5", "db="])
@pytest.mark.parametrize("write", [wire.celery_url, wire.redis_py_url])
def test_an_option_that_would_not_be_read_is_refused(query: str, write: object) -> None:
    assert callable(write)
    with pytest.raises(ConfigError, match=r"MASKPOOL_REDIS_URL: .*write '\?' as %3F"):
        write(f"redis+socket:///run/redis.sock?{query}")


@pytest.mark.parametrize(
    ("path", "does"),
    [
        (b"/run/redis.sock", True),
        (b"/run/" + b"n" * 102, True),
        (b"/run/" + b"n" * 103, False),
        (b"/run/" + "é".encode() * 51, True),
        (b"/run/" + "é".encode() * 52, False),
        (b"/run/caf\xe9", False),
    ],
)
def test_a_socket_has_a_short_path_of_text(path: bytes, does: bool) -> None:
    assert socket_url.fits(Path(os.fsdecode(path))) is does
