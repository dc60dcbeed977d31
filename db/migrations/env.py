"""How Alembic reaches the database; run through ``db.schema``, or by the ``alembic`` command."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection, Engine, create_engine, event, pool, text

from db.models import Base

#: Two ``maskpool migrate`` at once: the second waits, then finds nothing to do.
_LOCK = 0x6D61736B

#: A migration that waits for a table's lock stops every later statement on that table. So it
#: waits no longer than this, lets them pass, and is tried again (``db.schema.upgrade``).
_LOCK_TIMEOUT = "2s"

#: Seconds that a migration waits for SQLite's one writer.
_SQLITE_TIMEOUT = 30


def _run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        message = "no database: call db.schema.upgrade(url), or set sqlalchemy.url"
        raise RuntimeError(message)
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            _migrate(connection)
    finally:
        engine.dispose()


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A lock of the session: each migration commits by itself and would release one of its own.
        connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
        connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, poolclass=pool.NullPool)
    engine = create_engine(url, poolclass=pool.NullPool, connect_args={"timeout": _SQLITE_TIMEOUT})
    event.listen(engine, "connect", _no_implicit_transactions)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _no_implicit_transactions(connection: Any, _: object) -> None:  # noqa: ANN401 - a DBAPI one
    # Python's driver begins no transaction before DDL, so half of a failed migration would stay.
    connection.isolation_level = None


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


_run()
