"""COPY … FROM STDIN on Postgres: the one thing that only the driver can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from psycopg import Copy


@contextmanager
def copy_in(session: Session, statement: str) -> Iterator[Copy]:
    """Write rows in the session's transaction.

    Raises:
        OperationalError: SQLAlchemy's, as for any other statement, where the server went away.
    """
    import psycopg  # noqa: PLC0415 - SQLite does without

    driver = cast("psycopg.Connection", session.connection().connection.driver_connection)
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy
    except psycopg.Error as error:
        # A connection that the server ended may say so by any kind of error.
        if driver.closed or isinstance(error, psycopg.OperationalError):
            raise OperationalError(statement, None, error) from error
        raise
