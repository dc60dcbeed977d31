"""Long work on rows is done in blocks, each a short transaction of its own."""

from __future__ import annotations

import time

from db.session import Database

#: SQLite's writers ask again and again for its one lock, at most 100 ms apart: without a rest
#: between two blocks, whoever does not hold it would hardly ever find it free.
_REST_SECONDS = 0.05


def rest(database: Database) -> None:
    """Let others write, between two blocks."""
    if not database.is_postgres:
        time.sleep(_REST_SECONDS)
