"""How Alembic reaches the database; run through ``db.schema``, or by the ``alembic`` command."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from db.models import Base

#: Two ``maskpool migrate`` at once: the second waits, then finds nothing to do.
_LOCK = 0x6D61736B


def _run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        message = "no database: call db.schema.upgrade(url), or set sqlalchemy.url"
        raise RuntimeError(message)
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            context.run_migrations()
    engine.dispose()


_run()
