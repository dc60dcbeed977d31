"""Migrations make exactly the tables that the models describe, on both databases."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, create_engine, inspect

from db import batches, lookup
from db.models import Base
from db.schema import alembic_config, head_revision, revision, upgrade
from db.session import Database
from db.urls import normalised
from maskpool.errors import ConfigError, Unreachable


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(normalised(url))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def tables(url: str) -> set[str]:
    with connected(url) as connection:
        return set(inspect(connection).get_table_names())


def test_migrations_make_what_the_models_describe(empty_url: str) -> None:
    upgrade(empty_url)
    with connected(empty_url) as connection:
        # SQLite gives back an empty default in another spelling.
        defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": defaults}
        )
        assert compare_metadata(context, Base.metadata) == []
    assert tables(empty_url) == {*Base.metadata.tables, "alembic_version"}


def test_check_constraints_are_there_too(database_url: str) -> None:
    """Autogenerate compares no check constraints."""
    with connected(database_url) as connection:
        for name, table in Base.metadata.tables.items():
            described = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            found = inspect(connection).get_check_constraints(name)
            assert {constraint["name"] for constraint in found} == described


def test_upgrading_twice_is_harmless(empty_url: str) -> None:
    assert revision(empty_url) is None
    upgrade(empty_url)
    upgrade(empty_url)
    assert revision(empty_url) == head_revision() != ""


def test_an_upgrade_keeps_what_is_there(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as session:
        at = batches.create_or_find(session, batches.NewBatch("a", "k", "n", "demo", {}, "s"))
    upgrade(database_url)
    with database.read() as session:
        assert batches.loading(session, at.batch_id) == at
    database.close()


def test_several_upgrades_at_once_are_harmless(empty_url: str) -> None:
    # Processes, as Alembic keeps its context in a module.
    program = "import sys; from db.schema import upgrade; upgrade(sys.argv[1])"
    command_line = [sys.executable, "-c", program, empty_url]
    running = [subprocess.Popen(command_line, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    assert revision(empty_url) == head_revision()


def test_downgrading_leaves_nothing(database_url: str) -> None:
    command.downgrade(alembic_config(database_url), "base")
    assert tables(database_url) == {"alembic_version"}
    assert revision(database_url) is None
    upgrade(database_url)
    assert revision(database_url) == head_revision()


def test_a_database_without_tables_says_what_to_do(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(ConfigError, match="run maskpool migrate"), database.read() as session:
        lookup.recent(session, limit=1)
    database.close()


@pytest.fixture
def closed_url() -> str:
    """URL of a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"postgresql://ann:hunter2@127.0.0.1:{taken.getsockname()[1]}/maskpool"


def _read(url: str) -> None:
    database = Database(url)
    try:
        with database.read() as session:
            lookup.recent(session, limit=1)
    finally:
        database.close()


@pytest.mark.parametrize("use", [_read, upgrade, revision])
def test_a_postgres_that_is_away_is_unreachable_and_its_password_unsaid(
    closed_url: str, use: Callable[[str], object]
) -> None:
    with pytest.raises(Unreachable, match=r"^the database is unreachable: ") as caught:
        use(closed_url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("use", [_read, upgrade, revision])
def test_a_database_that_was_never_created_is_not_a_matter_of_migrations(
    empty_postgres_url: str, use: Callable[[str], object]
) -> None:
    with pytest.raises(Unreachable, match='database "nowhere" does not exist'):
        use(empty_postgres_url.rpartition("/")[0] + "/nowhere")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "somewhere",
        "mysql://ann:hunter2@h/x",
        "postgresql://ann:hunter2@h:port/x",
        "postgresql+nope:/hunter2",
    ],
)
@pytest.mark.parametrize("use", [Database, upgrade, revision])
def test_a_url_of_no_database_is_refused_without_its_password(
    url: str, use: Callable[[str], object]
) -> None:
    with pytest.raises(ConfigError, match=r"^MASKPOOL_DATABASE_URL") as caught:
        use(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_way_to_write_postgres_uses_our_driver(scheme: str) -> None:
    assert normalised(f"{scheme}://a:p%40@h:5/x") == "postgresql+psycopg://a:p%40@h:5/x"


def test_a_password_with_a_percent_sign_survives_alembic() -> None:
    url = alembic_config("postgresql://a:p%40%25@h/x").get_main_option("sqlalchemy.url")
    assert url == "postgresql+psycopg://a:p%40%25@h/x"
