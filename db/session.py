"""Engine and session scope, for Postgres and for SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.orm import Session

from maskpool.errors import ConfigError, Unreachable

#: Our transactions take milliseconds. One that stands still so long belongs to a process that is
#: frozen or a machine that is gone, and its row locks would keep its chunk from everybody else.
_FROZEN_MS = 60_000

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

    Raises:
        ConfigError: The URL names no database we know.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self._engine = _engine(url, pool_size)
        self._reading = self._engine.execution_options(maskpool_immediate=False)

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
        """A transaction that only reads: on SQLite it takes no write lock.

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

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def normalised(url: str) -> str:
    """The URL with the driver we use.

    Raises:
        ConfigError: It is no URL of a database we know.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ConfigError(
            "MASKPOOL_DATABASE_URL is no URL; write postgresql://user:password@host/name "
            "or sqlite:////absolute/path.db"
        ) from None
    backend = parsed.get_backend_name()
    if backend not in ("postgresql", "postgres", "sqlite"):
        raise ConfigError(f"MASKPOOL_DATABASE_URL: {backend} is not supported; use postgresql://")
    if backend in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def _engine(url: str, pool_size: int) -> Engine:
    target = normalised(url)
    if target.startswith("sqlite"):
        engine = create_engine(target, pool_size=pool_size, max_overflow=10)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(
            target,
            pool_size=pool_size,
            max_overflow=10,
            pool_pre_ping=True,
            connect_args={"options": " ".join(_postgres_options()), "connect_timeout": 5},
        )
    except NoSuchModuleError as error:
        raise ConfigError(f"MASKPOOL_DATABASE_URL: {error}") from None


def _postgres_options() -> tuple[str, ...]:
    return (
        # The JIT starts on big batches and costs 13 ms where the statement takes one.
        "-c jit=off",
        f"-c idle_in_transaction_session_timeout={_FROZEN_MS}",
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
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig) else "no reason given"
        # A whole database that does not exist is an OperationalError, and no migration helps.
        missing = isinstance(error, ProgrammingError) and "does not exist" in reason
        if missing or "no such table" in reason:
            raise ConfigError(
                f"the database has no such table ({reason}); run maskpool migrate"
            ) from error
        if isinstance(error, OperationalError):
            raise Unreachable("the database", reason) from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unreachable("the database", "the connection was lost") from error
        raise
