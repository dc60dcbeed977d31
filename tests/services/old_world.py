"""A pool's rows and objects as code of an older schema left them, written down once and for all."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, create_engine, text

from db.urls import normalised
from maskpool.ports import ObjectStore

FOLDER = Path(__file__).resolve().parents[1] / "integration" / "worlds"

#: Columns that hold moments, in milliseconds.
MOMENTS = {
    "created_at",
    "finished_at",
    "lease_until",
    "published_at",
    "next_at",
    "seen_at",
    "expires_at",
}
IDS = {"id", "batch_id", "worker", "lease_id"}

#: Long enough for a dispatcher to take a chunk that was not sent for one that is to be sent again.
_AGO_MS = 5_000

#: Rows that others point at go first.
ORDER = ("users", "batches", "jobs", "instances", "workers", "chunks", "tasks")

Row = dict[str, Any]


class OldWorld:
    """Batches in every state, with jobs and chunks in every state.

    Args:
        revision: The schema whose code wrote it.
    """

    def __init__(self, revision: str) -> None:
        self.revision = revision
        content = json.loads((FOLDER / f"{revision}.json").read_text())
        self._objects = content["objects"]
        # As if it had been left a moment ago: some leases hold, others lapsed.
        self._shift = time.time_ns() // 1_000_000 - content["written_at"] - _AGO_MS
        self.rows: dict[str, list[Row]] = {
            table: [self._lately(row) for row in content["rows"][table]]
            for table in ORDER
            if table in content["rows"]  # older worlds have no tasks
        }

    def _lately(self, row: Row) -> Row:
        return {
            name: value + self._shift if name in MOMENTS and value is not None else value
            for name, value in row.items()
        }

    def fill(self, url: str) -> None:
        """Write the rows with SQL of their own time: it knows the columns of its schema alone."""
        engine = create_engine(normalised(url))
        with engine.begin() as connection:
            for table, rows in self.rows.items():
                for row in rows:
                    write(connection, table, row)
        engine.dispose()

    def put_objects(self, store: ObjectStore) -> None:
        """Write the mask objects."""
        for key, content in self._objects.items():
            store.put(key, b64decode(content), "application/zstd")

    def one(self, table: str, **which: object) -> Row:
        """The one row whose columns are these."""
        [row] = [row for row in self.rows[table] if which.items() <= row.items()]
        return row


def write(connection: Connection, table: str, row: Row) -> None:
    """Insert one row, and write every column once more, as an update does."""
    postgres = connection.dialect.name == "postgresql"
    values = {name: _native(name, value, postgres=postgres) for name, value in row.items()}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)
    changes = ", ".join(f"{name} = :{name}" for name in values)
    keys = [name for name in ("id", "batch_id", "seq", "ordinal") if name in values]
    where = " AND ".join(f"{name} = :{name}" for name in (["id"] if "id" in values else keys))
    done = connection.execute(text(f"UPDATE {table} SET {changes} WHERE {where}"), values)
    assert done.rowcount == 1


def _native(name: str, value: object, *, postgres: bool) -> object:
    if name in IDS and isinstance(value, str):
        return UUID(value) if postgres else UUID(value).hex
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list):
        return value if postgres else json.dumps(value)
    return value


def read(url: str, table: str, columns: list[str]) -> list[Row]:
    """A table's rows as the world writes them down, in no order."""
    engine = create_engine(normalised(url))
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT {', '.join(columns)} FROM {table}")).mappings()
        rows = [{name: _plain(name, value) for name, value in row.items()} for row in found]
    engine.dispose()
    return rows


def _plain(name: str, value: object) -> object:
    if name in IDS and isinstance(value, str | UUID):
        return str(UUID(str(value)))
    if name in ("spec", "seqs", "prompts", "reading", "args", "progress", "result") and isinstance(
        value, str
    ):
        return json.loads(value)
    return value
