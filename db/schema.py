"""Bringing a database to the present schema, and saying whether it is there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from db.session import normalised, translated

_MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database, without any file."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    # Alembic interpolates %: a password may hold one.
    config.set_main_option("sqlalchemy.url", normalised(url).replace("%", "%%"))
    return config


def upgrade(database_url: str) -> None:
    """Run every migration that is missing. Safe to call at any time, by several at once.

    Raises:
        Unreachable: The database does not answer.
        ConfigError: The URL names no database we know.
    """
    with translated():
        command.upgrade(alembic_config(database_url), "head")


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
    """The revision this code expects."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return str(ScriptDirectory.from_config(config).get_current_head())
