"""A local stack in a folder of any name: its broker, and what its children are told."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile.paths import ALL_IN_ONE
from kombu import Connection
from pydantic import SecretStr

from maskpool import wire
from maskpool.errors import ConfigError
from maskpool.settings import Settings, load_settings
from producer.dispatch.broker import Broker
from producer.local import private_redis
from producer.local.endpoints import Endpoints, running, write
from producer.local.stack import Stack, _environment


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket below a long name."""
    with tempfile.TemporaryDirectory(prefix="a", dir="/tmp") as folder:
        yield Path(folder)


@contextmanager
def broker_in(home: Path) -> Iterator[str]:
    """The URL of the private broker of a stack."""
    stack = Stack(Settings(home=home), source_roots=[])
    stack._acquire()
    try:
        url = stack._start_redis()
        private_redis.await_answer(url)
        yield url
    finally:
        stack._stop()


@pytest.mark.parametrize("name", [ALL_IN_ONE, "n" * 120, "caf\udce9"])
def test_the_private_broker_answers_in_a_home_of_any_name(short: Path, name: str) -> None:
    before = set(Path(tempfile.gettempdir()).glob("maskpool-*"))
    with broker_in(short / name) as url:
        broker = Broker(url)
        broker.wake()
        assert broker.wait(1.0)
        broker.close()
        with Connection(wire.celery_url(url)) as connection:
            connection.ensure_connection(max_retries=1)
    assert set(Path(tempfile.gettempdir()).glob("maskpool-*")) == before


def test_a_socket_goes_elsewhere_where_tmpdir_is_long_too(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = short / ("n" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with broker_in(long / "home"):
        assert list(long.glob("maskpool-*")) == []
    monkeypatch.setattr(private_redis, "_SHORT_FOLDERS", ("/nonesuch",))
    with pytest.raises(ConfigError, match="set TMPDIR to a folder with a short path"):
        private_redis._short_folder()


def test_a_child_reads_what_the_stack_says(monkeypatch: pytest.MonkeyPatch, short: Path) -> None:
    home, root = short / ALL_IN_ONE, f"/data/{ALL_IN_ONE}:/x"
    endpoints = Endpoints("sqlite:///a", "redis://h", (home / "objects").as_uri(), (root,), "demo")
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", "/of/the/environment")
    for name, value in _environment(endpoints, Settings(home=home)).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.home, settings.source_roots) == (home, (Path(root),))
    assert settings.store_url == endpoints.store_url


def test_endpoints_are_read_back_as_they_were_written(short: Path) -> None:
    roots = (f"/data/{ALL_IN_ONE}", "/caf\udce9")
    endpoints = Endpoints("sqlite:///a", "redis://h", "file:///o", roots, "demo")
    home = short / ALL_IN_ONE
    stack = Stack(Settings(home=home), source_roots=[])
    stack._acquire()
    write(home, endpoints)
    assert running(home) == endpoints
    stack._stop()


@pytest.mark.parametrize(
    ("database", "expected"), [("", Path("/data/d:one")), ("postgresql://h/x", Path("/mine"))]
)
def test_the_roots_are_those_of_the_pool_that_is_used(database: str, expected: Path) -> None:
    endpoints = Endpoints("sqlite:///a", "redis://h", "file:///o", ("/data/d:one",), "demo")
    here = Settings(database_url=SecretStr(database), source_roots="/mine")
    assert endpoints.applied_to(here).source_roots == (expected,)
