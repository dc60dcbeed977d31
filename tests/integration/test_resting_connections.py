"""Connections that rest between two requests: a dead one is never handed to anybody."""

from __future__ import annotations

import time

from sqlalchemy import text

from db import rested
from db.session import Database

_OTHERS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

_STATES = text(
    "SELECT state FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IS NOT NULL"
)


def test_all_that_died_while_they_rested_are_opened_anew(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    with database.read() as one, database.read() as two, database.write() as three:
        for session in (one, two, three):
            session.execute(text("SELECT 1"))
    with other.write() as session:
        assert session.scalar(_OTHERS) == 3
    time.sleep(2 * rested._TRUSTED_SECONDS)
    with database.read() as one, database.write() as two, database.read() as three:
        for session in (one, two, three):
            assert session.scalar(text("SELECT 1")) == 1
    database.close()
    other.close()


def test_whoever_only_reads_leaves_no_transaction_open(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    with database.read() as session:
        session.execute(text("SELECT 1"))
        with other.read() as looking:
            assert looking.scalars(_STATES).all() == ["idle"]
    with database.snapshot() as session:
        session.execute(text("SELECT 1"))
        with other.read() as looking:
            assert looking.scalars(_STATES).all() == ["idle in transaction"]
    with database.write() as session:
        assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    database.close()
    other.close()
