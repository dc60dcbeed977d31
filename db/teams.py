"""Rows of teams, and of who is in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import MembershipRow, TeamRow, UserRow
from db.session import is_postgres
from maskpool.domain import new_id


@dataclass(frozen=True, slots=True)
class Team:
    """One team.

    Attributes:
        id: Of the row.
        name: Each is there once.
        created_at: Milliseconds since 1970.
    """

    id: UUID
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team.

    Attributes:
        user_id: Of their row.
        name: Of the user.
        role: ``producer.accounts.rights.Role``.
    """

    user_id: int
    name: str
    role: str


_COLUMNS = (TeamRow.id, TeamRow.name, TeamRow.created_at)
_ROLES = select(MembershipRow.team_id, MembershipRow.role).where(
    MembershipRow.user_id == bindparam("user")
)
_ROLES_OF_EACH = select(MembershipRow.user_id, MembershipRow.team_id, MembershipRow.role).where(
    MembershipRow.user_id.in_(bindparam("users", expanding=True))
)


def _insert(session: Session, table: type) -> Any:  # noqa: ANN401 - two dialects' types
    return (postgresql if is_postgres(session) else sqlite).insert(table)


def create(session: Session, name: str) -> UUID | None:
    """Make a team; None where there is one of this name."""
    new = _insert(session, TeamRow).values(id=new_id(), name=name, created_at=now_ms())
    made = session.execute(new.on_conflict_do_nothing().returning(TeamRow.id))
    team_id: UUID | None = made.scalar_one_or_none()
    return team_id


def listing(session: Session) -> list[Team]:
    """All teams, by name."""
    return [Team(*row) for row in session.execute(select(*_COLUMNS).order_by(TeamRow.name))]


def find(session: Session, reference: UUID | str) -> Team | None:
    """The team of an id or a name, or None."""
    column = TeamRow.id if isinstance(reference, UUID) else TeamRow.name
    row = session.execute(select(*_COLUMNS).where(column == reference)).one_or_none()
    return None if row is None else Team(*row)


def members(session: Session, team_id: UUID) -> list[Member]:
    """Who is in a team, by name."""
    rows = session.execute(
        select(UserRow.id, UserRow.name, MembershipRow.role)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(MembershipRow.team_id == team_id)
        .order_by(UserRow.name)
    )
    return [Member(*row) for row in rows]


def roles(session: Session, user_id: int) -> dict[UUID, str]:
    """Somebody's role in each team they are in."""
    rows = session.connection().execute(_ROLES, {"user": user_id})
    return {row.team_id: row.role for row in rows}


def roles_of_each(session: Session, user_ids: Collection[int]) -> dict[int, dict[UUID, str]]:
    """As ``roles``, for many users by one statement."""
    found: dict[int, dict[UUID, str]] = {one: {} for one in user_ids}
    if found:
        for row in session.connection().execute(_ROLES_OF_EACH, {"users": list(found)}):
            found[row.user_id][row.team_id] = row.role
    return found


def put_member(session: Session, team_id: UUID, user_id: int, role: str) -> None:
    """Take somebody into a team, or give them another role there."""
    new = _insert(session, MembershipRow).values(team_id=team_id, user_id=user_id, role=role)
    session.execute(
        new.on_conflict_do_update(index_elements=["user_id", "team_id"], set_={"role": role})
    )


def remove_member(session: Session, team_id: UUID, user_id: int) -> bool:
    """Take somebody out of a team; False where they are not in it."""
    gone = session.execute(
        delete(MembershipRow)
        .where(MembershipRow.team_id == team_id, MembershipRow.user_id == user_id)
        .returning(MembershipRow.user_id)
    )
    return gone.one_or_none() is not None
