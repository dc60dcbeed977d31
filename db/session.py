"""Engine and session scope, for Postgres and for SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import (
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.orm import Session

from db.rested import ping_after_rest
from db.urls import normalised
from maskpool.errors import ConfigError, Unreachable

#: Our transactions take milliseconds. One that stands still for this long belongs to a frozen
#: process or a lost machine, and its row locks would keep others from its chunk.
_FROZEN_MS = 60_000

#: Parts of the messages of SQLite and Postgres about a full disk.
_DISK_FULL = ("database or disk is full", "No space left on device")

_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
)


class Database:
    """One process's way to the rows.

    Args:
        url: ``postgresql://user:password@host/name`` or ``sqlite:////path``.
        pool_size: Connections kept open.
        patience_seconds: Postgres: longest wait for the answer to one statement, and longest
            stand-still inside a transaction. None for those whose statements may take long.

    Raises:
        ConfigError: The URL names no database we know.
    """

    def __init__(
        self, url: str, *, pool_size: int = 5, patience_seconds: float | None = None
    ) -> None:
        self._engine = _engine(url, pool_size, patience_seconds)
        self._reading = self._engine.execution_options(**self._reading_options())

    @property
    def is_postgres(self) -> bool:
        """Whether rows can be locked one by one and COPY is there."""
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at the end and rolls back on any error.

        Raises:
            Unreachable: The database does not answer, or is locked or full.
            ConfigError: Its tables are not there yet.
        """
        with translated(), Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """For statements that only read: no lock is taken, and on Postgres no transaction opened.

        Raises:
            Unreachable: The database does not answer.
            ConfigError: Its tables are not there yet.
        """
        with translated(), Session(self._reading) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A reading transaction whose every statement sees the same moment, as checks need it.

        Raises:
            Unreachable: The database does not answer.
            ConfigError: Its tables are not there yet.
        """
        with self.read() as session:
            if self.is_postgres:  # SQLite reads one moment in every transaction
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    def _reading_options(self) -> dict[str, Any]:
        if not self.is_postgres:
            return {"maskpool_immediate": False}
        # Each statement sees its own moment in a transaction as well; BEGIN and COMMIT would be two
        # more round trips.
        return {"isolation_level": "AUTOCOMMIT"}

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def is_postgres(session: Session) -> bool:
    """Whether a session speaks to Postgres; else it speaks to SQLite."""
    return session.get_bind().dialect.name == "postgresql"


def _engine(url: str, pool_size: int, patience_seconds: float | None) -> Engine:
    target = normalised(url)
    if target.startswith("sqlite"):
        engine = create_engine(target, pool_size=pool_size, max_overflow=10)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return _postgres_engine(target, pool_size, patience_seconds)


def _postgres_engine(target: str, pool_size: int, patience_seconds: float | None) -> Engine:
    from db.postgres.connection import CLIENT_OPTIONS, PatientConnection  # noqa: PLC0415 - not for SQLite

    try:
        engine = create_engine(
            target,
            pool_size=pool_size,
            max_overflow=10,
            connect_args={
                "options": " ".join(_postgres_options(patience_seconds)),
                "connect_timeout": 5,
                **CLIENT_OPTIONS,
            },
        )
    except NoSuchModuleError as error:
        raise ConfigError(f"MASKPOOL_DATABASE_URL: {error}") from None

    def connect(_: object, __: object, words: Any, options: Any) -> PatientConnection:  # noqa: ANN401
        connection = PatientConnection.connect(*words, **options)
        connection.patience = patience_seconds
        return connection

    event.listen(engine, "do_connect", connect)
    # With patience, callers retry anyway.
    if patience_seconds is None:
        ping_after_rest(engine)
    return engine


def _postgres_options(patience_seconds: float | None) -> tuple[str, ...]:
    from db.postgres.connection import SERVER_OPTIONS  # noqa: PLC0415 - as above

    frozen_ms = _FROZEN_MS if patience_seconds is None else round(patience_seconds * 1000)
    return (
        # The JIT starts on big batches and costs 13 ms where the statement takes one.
        "-c jit=off",
        f"-c idle_in_transaction_session_timeout={frozen_ms}",
        *SERVER_OPTIONS,
    )


def _prepare_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - a DBAPI connection
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Writers queue at BEGIN: a read that turns into a write later could not wait, only fail.
    immediate = connection.get_execution_options().get("maskpool_immediate", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours, without the statement and without secrets."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        reason = (str(error.orig).strip() or "no reason given").splitlines()[0]
        # A missing table only: a missing database is an OperationalError, and no migration helps.
        missing = isinstance(error, ProgrammingError) and "does not exist" in reason
        if missing or "no such table" in reason:
            raise ConfigError(
                f"the database has no such table ({reason}); run maskpool migrate"
            ) from error
        if isinstance(error, OperationalError):
            raise Unreachable("the database", _advised(reason)) from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unreachable("the database", "the connection was lost") from error
        raise


def _advised(reason: str) -> str:
    """What the driver says, with what to do where only a person can do it."""
    if any(words in reason for words in _DISK_FULL):
        return f"its disk is full ({reason}); make room, and everything goes on by itself"
    return reason
