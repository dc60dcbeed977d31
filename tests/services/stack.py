"""When a pool of real processes has come up, seen in its database.

A verb asked again and again takes the processor from the very worker that is waited for.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from db import workers
from db.session import Database
from services.command_line import until


def await_workers(database: Database, count: int = 1) -> None:
    """Until so many workers have said that they live."""

    def living() -> bool:
        with database.read() as session:
            return len(workers.alive(session)) >= count

    until(living, what="a worker" if count == 1 else f"{count} workers")


def await_stack(folder: Path) -> dict[str, str]:
    """Until ``maskpool up`` in a folder has a worker; returns what its ``stack.json`` says."""
    known = folder / ".maskpool" / "stack.json"
    until(known.exists, what="the stack")
    said: dict[str, str] = json.loads(known.read_text())
    with closing(Database(said["database_url"])) as database:
        await_workers(database)
    return said
