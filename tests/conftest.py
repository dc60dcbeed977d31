"""Fixtures every test may use: real servers, fresh databases, buckets and folders.

A missing component is a failure where ``CI=true`` and a skip with a clear line elsewhere.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings as hypothesis_settings

# Test folders are no packages, so the modules beside this file need a place on the path.
sys.path.insert(0, str(Path(__file__).parent))

from services.postgres_server import PostgresServer, running_postgres
from services.process import serve
from services.rclone_server import running_rclone
from services.redis_server import RedisServer, running_redis
from services.s3_server import S3Server, running_s3, share_descriptions
from services.turns import ALONE, process_count, take_turns

# An example that is slow because the machine is busy says nothing about the code.
hypothesis_settings.register_profile("maskpool", deadline=None)
hypothesis_settings.load_profile("maskpool")

#: Also what child processes of a test see: no network, no credentials of the developer, one thread.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "HF_HUB_OFFLINE": "1",
    "NO_PROXY": "127.0.0.1,localhost",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


#: Folders in the order in which their tests run. Quick ones first: a slip shows within seconds, not
#: behind the servers. Long files of ``e2e`` and ``faults`` come before the short ones of
#: ``integration``, so that processes which run side by side end at about the same time.
ORDER = ("unit", "e2e", "browser", "faults", "gpu", "integration")


def pytest_configure(config: pytest.Config) -> None:
    """Set the stage before anything of ours is imported."""
    take_turns(config)
    for name in [name for name in os.environ if name.startswith(("MASKPOOL_", "AWS_"))]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    share_descriptions()
    # Without this a terminated run would leave its servers behind.
    signal.signal(signal.SIGTERM, _leave)


def _leave(signum: int, frame: object) -> NoReturn:
    pytest.exit("terminated", returncode=128 + signum)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """What ``-n auto`` means, unless the environment says another number."""
    return None if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") else process_count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """See ``services/together.py``; unless somebody asks for another way to share tests out."""
    if config.option.dist != "loadfile":
        return None
    from services.together import Together  # only where there is pytest-xdist

    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See ``ORDER``; files with a test that runs alone come last."""
    tests = Path(__file__).parent
    alone = {item.path for item in items if item.get_closest_marker(ALONE)}

    def place(item: pytest.Item) -> tuple[bool, int]:
        inside = item.path.is_relative_to(tests)
        folder = item.path.relative_to(tests).parts[0] if inside else ""
        return item.path in alone, ORDER.index(folder) if folder in ORDER else len(ORDER)

    items.sort(key=place)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's Redis; tests that kill one start their own with ``running_redis()``."""
    yield from serve(running_redis())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's Postgres; tests that kill one start their own with ``running_postgres()``."""
    yield from serve(running_postgres())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The session's S3 API."""
    yield from serve(running_s3())


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[S3Server]:
    """The session's other S3 API, which checks signatures and streams."""
    yield from serve(running_rclone())


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """URL of an empty Redis, for Celery and redis-py alike."""
    import redis

    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    client.close()
    return redis_server.url


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: PostgresServer) -> str:
    from db.schema import upgrade

    name = postgres_server.create()
    upgrade(postgres_server.url(name))
    postgres_server.seal(name)
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, _postgres_template: str) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    name = postgres_server.create(template=_postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a fresh database without a table."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from db.schema import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def new_sqlite(_sqlite_template: Path) -> Callable[[Path], str]:
    """Makes a fresh, migrated SQLite file in a folder; returns its URL."""

    def copied(folder: Path) -> str:
        # A closed database has folded its -wal into the file; one that was left open has not.
        for part in _sqlite_template.parent.glob("template.sqlite*"):
            shutil.copy(part, folder / part.name.replace("template", "maskpool"))
        return f"sqlite:///{folder / 'maskpool.sqlite'}"

    return copied


@pytest.fixture
def sqlite_url(new_sqlite: Callable[[Path], str], tmp_path: Path) -> str:
    """URL of a fresh, migrated SQLite file."""
    return new_sqlite(tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh, migrated database; the test runs once for each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def lasting_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a migrated database for all tests of a file, which leave it as it is."""
    if request.param == "sqlite":
        yield request.getfixturevalue("new_sqlite")(tmp_path_factory.mktemp("rows"))
        return
    template = request.getfixturevalue("_postgres_template")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create(template=template)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Endpoint URL and name of a fresh bucket; the settings read in this test know the endpoint."""
    monkeypatch.setenv("MASKPOOL_S3_ENDPOINT_URL", s3_server.endpoint_url)
    return s3_server.endpoint_url, s3_server.create_bucket()


@pytest.fixture
def rclone_bucket(rclone_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """As ``s3_bucket``, on the server that checks signatures; the environment holds its keys."""
    monkeypatch.setenv("MASKPOOL_S3_ENDPOINT_URL", rclone_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rclone_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rclone_server.secret_key)
    return rclone_server.endpoint_url, rclone_server.create_bucket()


@pytest.fixture
def folder_store_url(tmp_path: Path) -> str:
    """URL of an empty folder store."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder.as_uri()


@pytest.fixture
def s3_store_url(s3_bucket: tuple[str, str]) -> str:
    """URL of an empty store under a prefix of a fresh bucket."""
    return f"s3://{s3_bucket[1]}/pool"


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty store; the test runs once for each kind."""
    return str(request.getfixturevalue(f"{request.param}_store_url"))
