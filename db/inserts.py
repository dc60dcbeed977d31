"""One statement that both databases say in dialects of their own."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.session import is_postgres


def insert_or_nothing(session: Session, table: type) -> Any:  # noqa: ANN401 - two dialects' types
    """INSERT … ON CONFLICT DO NOTHING."""
    dialect = postgresql if is_postgres(session) else sqlite
    return dialect.insert(table).on_conflict_do_nothing()
