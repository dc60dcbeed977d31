"""What a migration does to a schema that other processes still use, and schemas made for tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Inspector, create_engine, inspect

from db import schema
from db.urls import normalised

#: A migration as somebody may write it tomorrow; ``{changes}`` are lines of its ``upgrade``.
_NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
{declares}

def upgrade() -> None:
    {changes}
"""


@dataclass(frozen=True)
class Table:
    """What the writers of a table rely on."""

    #: By name: type, whether NULL is refused, and whether a value must be given.
    columns: dict[str, tuple[str, bool, bool]]
    #: Whatever may refuse a row: names of unique, check and foreign keys.
    rules: frozenset[str]


Snapshot = dict[str, Table]


def snapshot(url: str) -> Snapshot:
    """The tables as they are."""
    engine = create_engine(normalised(url))
    try:
        there = inspect(engine)
        return {
            name: Table(
                {column["name"]: _column(column) for column in there.get_columns(name)},
                frozenset(_rules(there, name)),
            )
            for name in there.get_table_names()
            if name != "alembic_version"
        }
    finally:
        engine.dispose()


def _column(column: Any) -> tuple[str, bool, bool]:
    required = not column["nullable"] and column["default"] is None
    return str(column["type"]), not column["nullable"], required


def _rules(there: Inspector, table: str) -> Iterator[str]:
    unique = [index for index in there.get_indexes(table) if index["unique"]]
    checks, foreign = there.get_check_constraints(table), there.get_foreign_keys(table)
    for rule in (*unique, *there.get_unique_constraints(table), *checks, *foreign):
        yield str(rule["name"])


def broken_promises(before: Snapshot, after: Snapshot) -> list[str]:
    """What older code could do before a migration, and cannot do after it."""
    broken = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            broken.append(f"table {name} is gone")
            continue
        broken += [f"{name}.{problem}" for problem in _columns_broken(old, new)]
        broken += [f"{name} has a new rule {rule}" for rule in sorted(new.rules - old.rules)]
    return broken


def _columns_broken(old: Table, new: Table) -> Iterator[str]:
    for name, (kind, strict, _) in old.columns.items():
        if name not in new.columns:
            yield f"{name} is gone"
            continue
        new_kind, new_strict, _ = new.columns[name]
        if new_kind != kind:
            yield f"{name} was {kind} and is {new_kind}"
        if new_strict and not strict:
            yield f"{name} refuses NULL now"
    for name in new.columns.keys() - old.columns.keys():
        if new.columns[name][2]:
            yield f"{name} is new and must be given"


def steps() -> list[Script]:
    """Every migration but the first, oldest first."""
    directory = ScriptDirectory.from_config(schema.alembic_config("sqlite://"))
    return list(directory.walk_revisions())[::-1][1:]


def is_contract(step: Script) -> bool:
    """Whether a migration says of itself that it takes away what older code used."""
    return bool(getattr(step.module, "contract", False))


def promises_broken_by(url: str, step: Script) -> list[str]:
    """Run one migration on an empty database, and the ones before it."""
    command.upgrade(schema.alembic_config(url), str(step.down_revision))
    before = snapshot(url)
    command.upgrade(schema.alembic_config(url), step.revision)
    return broken_promises(before, snapshot(url))


def copy_with_next(folder: Path, changes: str, declares: str = "") -> Path:
    """The migrations and one more, revision ``next``; the folder is for ``schema._MIGRATIONS``."""
    target = folder / "migrations"
    shutil.copytree(schema._MIGRATIONS, target, ignore=shutil.ignore_patterns("__pycache__"))
    text = _NEXT.format(head=schema.head_revision(), changes=changes, declares=declares)
    (target / "versions" / "next.py").write_text(text)
    return target
