"""Bringing a database to the present schema, and saying whether this code can work with one.

Migrations expand first and contract later (ADR 11), so code and schema need not change at the same
moment: a process works with every schema that has all the tables and columns it knows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
)

from db.models import Base
from db.session import Database, translated
from db.urls import normalised
from maskpool.errors import ConfigError

log = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"

#: How long a migration is tried again while somebody holds a lock that it needs.
_LOCKED_OUT_SECONDS = 600.0

#: Postgres's codes of a lock that was not given in time, and of a deadlock.
_LOCKED_OUT = ("55P03", "40P01")


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database, without any file."""
    config = _scripts_config()
    # Alembic interpolates %: a password or a path may hold one.
    config.set_main_option("sqlalchemy.url", normalised(url).replace("%", "%%"))
    return config


def _scripts_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(database_url: str) -> str:
    """Run every migration that is missing. Safe to call at any time, by several at once.

    A database that newer code has migrated is left as it is, if this code can work with it.

    Returns:
        The revision the database is at.

    Raises:
        Unreachable: The database does not answer, or somebody holds a lock for ten minutes.
        ConfigError: The URL names no database we know, or it is too new for this code.
    """
    have = revision(database_url)
    if is_newer(have):
        database = Database(database_url)
        try:
            with database.read() as session:
                require_fit(session)
        finally:
            database.close()
        return str(have)
    patiently = Retrying(
        retry=retry_if_exception(_locked_out),
        wait=wait_exponential_jitter(multiplier=0.5, max=10),
        stop=stop_after_delay(_LOCKED_OUT_SECONDS),
        before_sleep=_say_locked_out,
        reraise=True,
    )
    with translated():
        patiently(command.upgrade, alembic_config(database_url), "head")
    return head_revision()


def revision(database_url: str) -> str | None:
    """The revision a database is at, or None where it has no tables of ours.

    Raises:
        Unreachable: The database does not answer.
        ConfigError: The URL names no database we know.
    """
    engine = create_engine(normalised(database_url))
    try:
        with translated(), engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def head_revision() -> str:
    """The newest revision that this code knows."""
    return str(_scripts().get_current_head())


def is_newer(have: str | None) -> bool:
    """Whether a database's revision is one that only newer code knows."""
    return have is not None and have not in _known()


def require_fit(session: Session) -> None:
    """Refuse a database that lacks a table or column which this code knows.

    What it has beyond that does not matter: newer code may have migrated it already.

    Raises:
        ConfigError: Something is missing; says whether to migrate or to install newer code.
    """
    connection = session.connection()
    missing = _missing(inspect(connection).get_multi_columns())
    if not missing:
        return
    have = MigrationContext.configure(connection).get_current_revision()
    what = f"{missing[0]}{f' and {len(missing) - 1} more' if missing[1:] else ''}"
    if is_newer(have):
        raise ConfigError(
            f"the database is at revision {have}, which this code ({head_revision()}) does not "
            f"know, and it has no {what} any more; install the newer maskpool here"
        )
    raise ConfigError(
        f"the database is at revision {have}, and this code needs {head_revision()}: "
        f"it has no {what}; run maskpool migrate"
    )


def _missing(there: Mapping[tuple[str | None, str], Sequence[ReflectedColumn]]) -> list[str]:
    columns = {name: {column["name"] for column in found} for (_, name), found in there.items()}
    missing = []
    for name, table in Base.metadata.tables.items():
        if name not in columns:
            missing.append(f"table {name}")
            continue
        missing += [
            f"column {name}.{column.name}"
            for column in table.columns
            if column.name not in columns[name]
        ]
    return missing


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_scripts_config())


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _locked_out(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", "") in _LOCKED_OUT


def _say_locked_out(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action else 0.0
    log.warning(
        "somebody holds a lock that the migration needs (see pg_stat_activity); "
        "trying again in %.1f s",
        pause,
    )
