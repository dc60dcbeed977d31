"""Rows of grants: the places outside the store that a team may read images from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import BatchRow, SourceGrantRow
from db.session import is_postgres
from maskpool.domain import new_id


@dataclass(frozen=True, slots=True)
class Grant:
    """A place that a team may read from.

    Attributes:
        id: Of the row.
        kind: ``bucket`` or ``host``.
        place: ``bucket/prefix/``, a host's name, or ``*.name`` for every host below it.
        created_at: Milliseconds since 1970.
    """

    id: UUID
    kind: str
    place: str
    created_at: int


_COLUMNS = (
    *(SourceGrantRow.id, SourceGrantRow.kind),
    *(SourceGrantRow.place, SourceGrantRow.created_at),
)


def create(session: Session, team_id: UUID, kind: str, place: str) -> Grant:
    """Let a team read from a place; one that it may read from already stays as it is."""
    dialect: Any = postgresql if is_postgres(session) else sqlite
    new = dialect.insert(SourceGrantRow).values(
        id=new_id(), team_id=team_id, kind=kind, place=place, created_at=now_ms()
    )
    session.execute(new.on_conflict_do_nothing())
    return next(one for one in of_team(session, team_id) if (one.kind, one.place) == (kind, place))


def of_team(session: Session, team_id: UUID) -> list[Grant]:
    """What a team may read, by kind and place."""
    rows = session.execute(
        select(*_COLUMNS)
        .where(SourceGrantRow.team_id == team_id)
        .order_by(SourceGrantRow.kind, SourceGrantRow.place)
    )
    return [Grant(*row) for row in rows]


def hosts_of_batch(session: Session, batch_id: UUID) -> tuple[str, ...] | None:
    """Patterns of the hosts that a batch's team may read; none for a batch that is gone.

    Returns:
        None where the batch is of no team.
    """
    is_host = and_(SourceGrantRow.team_id == BatchRow.team_id, SourceGrantRow.kind == "host")
    found = session.execute(
        select(BatchRow.team_id, SourceGrantRow.place)
        .outerjoin(SourceGrantRow, is_host)
        .where(BatchRow.id == batch_id)
    ).all()
    if found and found[0].team_id is None:
        return None
    return tuple(place for _, place in found if place is not None)


def remove(session: Session, team_id: UUID, grant_id: UUID) -> str | None:
    """Take a grant back.

    Returns:
        Its place; None where the team has no such one.
    """
    return session.execute(
        delete(SourceGrantRow)
        .where(SourceGrantRow.id == grant_id, SourceGrantRow.team_id == team_id)
        .returning(SourceGrantRow.place)
    ).scalar_one_or_none()
