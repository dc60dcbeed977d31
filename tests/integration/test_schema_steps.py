"""Expand, then contract: migrations beside a pool at work, and code beside another schema."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from services.command_line import maskpool, maskpool_json, serving, until
from services.schema_steps import (
    broken_promises,
    copy_with_next,
    is_contract,
    promises_broken_by,
    snapshot,
    steps,
)

from db import schema
from db.session import Database
from maskpool.errors import ConfigError, Unreachable
from maskpool.health import read_state

STUCK_WORKER = (
    str(Path(__file__).resolve().parents[1] / "services" / "scripts" / "stuck_worker.py"),
)

STEPS = {step.revision: step for step in steps()}

#: What only a step that declares itself a contract may do.
CONTRACTS = {
    "drop a column": 'op.drop_column("users", "token_hash")',
    "drop a table": 'op.drop_table("instances")',
    "rename a table": 'op.rename_table("workers", "members")',
    "rename a column": 'op.alter_column("users", "role", new_column_name="part")',
    "a column that must be given": (
        'op.add_column("instances", sa.Column("shape", sa.String(), nullable=False))'
    ),
    "another type": 'op.alter_column("workers", "threads", type_=sa.String())',
    "no NULL any more": 'op.alter_column("jobs", "error", nullable=False)',
    "a unique rule": 'op.create_index("uq_names", "workers", ["name"], unique=True)',
}

EXPANSIONS = {
    "a table": 'op.create_table("notes", sa.Column("id", sa.Uuid(), primary_key=True))',
    "a column that may be NULL": 'op.add_column("jobs", sa.Column("note", sa.String()))',
    "a column with a default": (
        'op.add_column("jobs", sa.Column("rank", sa.Integer(), server_default="0", nullable=False))'
    ),
    "an index": 'op.create_index("ix_names", "workers", ["name"])',
}


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.mark.parametrize("name", STEPS)
def test_a_migration_keeps_what_older_code_does_or_says_that_it_does_not(
    name: str, empty_url: str
) -> None:
    broken = promises_broken_by(empty_url, STEPS[name])
    if is_contract(STEPS[name]):
        assert broken, f"{name} declares itself a contract and takes nothing away"
    else:
        assert broken == [], f"{name} is no expansion; see docs/adr/0011 on how to go about it"


def _snapshots(url: str) -> tuple[list[str], str]:
    before = snapshot(url)
    schema.upgrade(url)
    return broken_promises(before, snapshot(url)), str(schema.revision(url))


@pytest.mark.parametrize("what", CONTRACTS)
def test_the_rule_notices(
    what: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_MIGRATIONS", copy_with_next(tmp_path, CONTRACTS[what]))
    broken, revision = _snapshots(postgres_url)
    assert revision == "next"
    assert broken != []


@pytest.mark.parametrize("what", EXPANSIONS)
def test_the_rule_allows(
    what: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_MIGRATIONS", copy_with_next(tmp_path, EXPANSIONS[what]))
    broken, revision = _snapshots(database_url)
    assert revision == "next"
    assert broken == []


def test_a_contract_declares_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = CONTRACTS["drop a table"]
    folder = copy_with_next(tmp_path, changes, declares="contract = True")
    monkeypatch.setattr(schema, "_MIGRATIONS", folder)
    *_, last = steps()
    assert is_contract(last)
    assert promises_broken_by(f"sqlite:///{tmp_path / 'x.sqlite'}", last) != []


@contextmanager
def newer(url: str, folder: Path, changes: str) -> Iterator[None]:
    """A database that newer code has migrated; back in here, this code knows nothing of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_MIGRATIONS", copy_with_next(folder, changes))
        assert schema.upgrade(url) == "next"
    yield


def _require_fit(url: str) -> None:
    database = Database(url)
    try:
        with database.read() as session:
            schema.require_fit(session)
    finally:
        database.close()


@pytest.mark.parametrize("what", EXPANSIONS)
def test_a_schema_that_is_newer_by_expansions_is_fine(
    what: str, database_url: str, tmp_path: Path
) -> None:
    with newer(database_url, tmp_path, EXPANSIONS[what]):
        _require_fit(database_url)
        assert schema.upgrade(database_url) == "next", "rolled back code leaves it as it is"


def test_verbs_work_beside_a_newer_schema(database_url: str, tmp_path: Path) -> None:
    with newer(database_url, tmp_path, EXPANSIONS["a column with a default"]):
        environment = {"MASKPOOL_DATABASE_URL": database_url, "MASKPOOL_HOME": str(tmp_path / "h")}
        migrated = maskpool("migrate", env=environment)
        assert (migrated.returncode, "at revision next" in migrated.stdout) == (0, True)
        sheet = maskpool("doctor", "--json", env=environment).stdout
        assert "is newer than this code's" in sheet
        assert maskpool_json("status", env=environment) == []


def test_a_schema_that_took_away_what_this_code_uses_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    with newer(database_url, tmp_path, CONTRACTS["drop a column"]):
        for use in (_require_fit, schema.upgrade):
            with pytest.raises(ConfigError, match=r"no column users\.token_hash any more; install"):
                use(database_url)


def test_a_schema_that_is_older_is_refused_by_every_service(
    empty_url: str, redis_url: str, folder_store_url: str, tmp_path: Path
) -> None:
    command.upgrade(schema.alembic_config(empty_url), "0002")
    # How many columns are missing grows with each migration.
    with pytest.raises(ConfigError, match=r"no column \w+\.\w+ and \d+ more; run maskpool migrate"):
        _require_fit(empty_url)
    environment = {
        "MASKPOOL_HOME": str(tmp_path / "home"),
        "MASKPOOL_DATABASE_URL": empty_url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_STORE_URL": folder_store_url,
    }
    refused = maskpool("dispatch", env=environment)
    assert refused.returncode == 2
    assert "at revision 0002, and this code needs" in refused.stderr
    log = tmp_path / "worker.log"
    with serving(log=log, env=environment, program=STUCK_WORKER) as worker:
        assert worker.wait(90) == 2
    assert "at revision 0002, and this code needs" in log.read_text()


def test_a_dispatcher_goes_on_while_the_schema_grows_under_it(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "health.json"
    environment = {
        "MASKPOOL_DATABASE_URL": database_url,
        "MASKPOOL_REDIS_URL": redis_url,
        "MASKPOOL_HEALTH_FILE": str(file),
    }
    with serving("dispatch", log=tmp_path / "log", env=environment) as process:
        until(lambda: read_state(file).ready, seconds=60, what="the dispatcher")
        with newer(database_url, tmp_path, EXPANSIONS["a column with a default"]):
            since = time.monotonic()
            until(lambda: _heard(file) > since + 2, seconds=60, what="rounds on the new schema")
        assert read_state(file).ready, read_state(file).sentence
        assert process.poll() is None


def _heard(file: Path) -> float:
    return read_state(file).heard or 0.0


def test_a_migration_behind_a_long_query_stops_nobody(
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An ALTER that waits stops everybody who comes behind it, so it must not wait for long."""
    caplog.set_level(logging.WARNING)
    changes = EXPANSIONS["a column that may be NULL"]
    monkeypatch.setattr(schema, "_MIGRATIONS", copy_with_next(tmp_path, changes))
    ended = threading.Event()

    def migrate() -> None:
        schema.upgrade(postgres_url)
        ended.set()

    thread = threading.Thread(target=migrate)
    waits = []
    with closing(psycopg.connect(postgres_url)) as report:
        report.execute("SELECT count(*) FROM jobs")  # its lock stays until its transaction ends
        thread.start()
        with psycopg.connect(postgres_url, autocommit=True) as worker:
            until(lambda: _somebody_waits(worker), seconds=60, what="the migration at the lock")
            while len(waits) < 3 or "somebody holds a lock" not in caplog.text:
                begun = time.monotonic()
                worker.execute("UPDATE jobs SET attempts = 0 WHERE seq = 0")
                waits.append(time.monotonic() - begun)
                time.sleep(0.05)
                assert len(waits) < 2_000, "it never gave up"
        assert not ended.is_set()
    thread.join(60)
    assert ended.is_set()
    assert schema.revision(postgres_url) == "next"
    assert max(waits) < 10, "2 s are what it may wait; the rest is for a slow machine"


def _somebody_waits(connection: psycopg.Connection[tuple[int]]) -> bool:
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return row is not None and row[0] > 0


def test_a_lock_that_never_comes_is_an_error_that_leaves_the_old_schema(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = EXPANSIONS["a column that may be NULL"]
    before = schema.head_revision()
    monkeypatch.setattr(schema, "_MIGRATIONS", copy_with_next(tmp_path, changes))
    monkeypatch.setattr(schema, "_LOCKED_OUT_SECONDS", 1.0)
    with closing(psycopg.connect(postgres_url)) as report:
        report.execute("SELECT count(*) FROM jobs")
        with pytest.raises(Unreachable, match="lock timeout"):
            schema.upgrade(postgres_url)
    assert schema.revision(postgres_url) == before


def test_a_migration_that_fails_leaves_nothing_of_itself(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, head = snapshot(database_url), schema.head_revision()
    changes = f"{EXPANSIONS['a table']}\n    raise ZeroDivisionError"
    monkeypatch.setattr(schema, "_MIGRATIONS", copy_with_next(tmp_path, changes))
    with pytest.raises(ZeroDivisionError):
        schema.upgrade(database_url)
    assert snapshot(database_url) == before
    assert schema.revision(database_url) == head
