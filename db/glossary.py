"""Rows of the words that a team, or the whole pool, lays over the shipped ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import GlossaryRow, GlossaryWordRow
from db.session import is_postgres

#: The list of the whole pool; no team has this id.
POOL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of a list.

    Attributes:
        scope: ``POOL``, or the team's id.
        key: The word in the form that is compared.
        kind: What it may be in a phrase.
        word: As it was written.
        english: What is sent for it; None where it was taken out.
        version: Of the list, from which on it is so.
        user_name: Who wrote it.
        at: Milliseconds since 1970.
    """

    scope: UUID
    key: str
    kind: str
    word: str
    english: str | None
    version: int = 0
    user_name: str = ""
    at: int = 0


_COLUMNS = (
    *(GlossaryWordRow.scope, GlossaryWordRow.key, GlossaryWordRow.kind, GlossaryWordRow.word),
    *(GlossaryWordRow.english, GlossaryWordRow.version),
    *(GlossaryWordRow.user_name, GlossaryWordRow.at),
)


def versions(session: Session, scopes: Iterable[UUID]) -> dict[UUID, int]:
    """How often each list was changed; one that is not named never was."""
    rows = session.execute(
        select(GlossaryRow.scope, GlossaryRow.version).where(GlossaryRow.scope.in_(list(scopes)))
    )
    return {row.scope: row.version for row in rows}


def entries(session: Session, scopes: Iterable[UUID], version: int | None = None) -> list[Entry]:
    """The words of some lists as they are now, or were at a version, by word and kind."""
    place = (GlossaryWordRow.scope, GlossaryWordRow.key, GlossaryWordRow.kind)
    latest = (
        select(*place, func.max(GlossaryWordRow.version).label("version"))
        .where(GlossaryWordRow.scope.in_(list(scopes)))
        .where(true() if version is None else GlossaryWordRow.version <= version)
        .group_by(*place)
        .subquery()
    )
    rows = session.execute(
        select(*_COLUMNS)
        .join(
            latest,
            (GlossaryWordRow.scope == latest.c.scope)
            & (GlossaryWordRow.key == latest.c.key)
            & (GlossaryWordRow.kind == latest.c.kind)
            & (GlossaryWordRow.version == latest.c.version),
        )
        .where(GlossaryWordRow.english.is_not(None))
        .order_by(GlossaryWordRow.key, GlossaryWordRow.kind)
    )
    return [Entry(*row) for row in rows]


def next_version(session: Session, scope: UUID) -> int:
    """Begin a change of a list; whoever changes it as well waits until this one is written."""
    dialect: Any = postgresql if is_postgres(session) else sqlite
    new = dialect.insert(GlossaryRow).values(scope=scope, version=1)
    grown = new.on_conflict_do_update(
        index_elements=["scope"], set_={"version": GlossaryRow.version + 1}
    )
    return int(session.execute(grown.returning(GlossaryRow.version)).scalar_one())


def write(
    session: Session, changed: Iterable[Entry], *, version: int, user_id: int | None, name: str
) -> None:
    """Write what a change made of words; ``version`` is what ``next_version`` gave."""
    rows = [
        {
            "scope": one.scope,
            "key": one.key,
            "kind": one.kind,
            "version": version,
            "word": one.word,
            "english": one.english,
            "user_id": user_id,
            "user_name": name,
        }
        for one in changed
    ]
    session.execute(insert(GlossaryWordRow).values(at=now_ms()), rows)
