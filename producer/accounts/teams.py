"""Teams: made, listed, and who is in them as what."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from db import teams as rows
from db.teams import Member, Team
from maskpool.errors import Conflict, NotFound, SpecError
from maskpool.text import is_storable, one_line
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Right, Role
from producer.accounts.users import named
from producer.pool import Pool

_MAX_NAME = 100

#: What one can be in a team.
TEAM_ROLES = (Role.VIEWER, Role.ANNOTATOR, Role.OWNER)


def create(
    pool: Pool, actor: Actor, name: str, also: Callable[[Session, UUID], None] = lambda *_: None
) -> UUID:
    """Make a team; ``also`` writes in the same transaction.

    Raises:
        SpecError: The name is refused.
        Conflict: There is a team of this name.
    """
    if not name.strip() or len(name) > _MAX_NAME or one_line(name) != name:
        raise SpecError(
            "name",
            f"must be one line of 1 to {_MAX_NAME} characters",
            code="account.name",
            params={"limit": _MAX_NAME},
        )
    with pool.database.write() as session:
        team_id = rows.create(session, name)
        if team_id is None:
            sentence = f"there is a team {name!r} already"
            raise Conflict(sentence, code="team.exists", params={"name": name})
        audit.append(session, actor, "team.create", name)
        also(session, team_id)
    return team_id


def listing(pool: Pool, only: frozenset[UUID] | None = None) -> list[Team]:
    """Teams by name; all of them where ``only`` is None."""
    with pool.database.read() as session:
        return [one for one in rows.listing(session) if only is None or one.id in only]


def find(pool: Pool, reference: str) -> Team:
    """The team of a name or an id.

    Raises:
        NotFound: There is none.
    """
    with pool.database.read() as session:
        return _found(session, reference)


def visible(pool: Pool, caller: Caller, team_id: UUID, right: Right = Right.TEAM) -> Team:
    """A team that a caller may do something with.

    Args:
        pool: Where the teams are.
        caller: Who asks.
        team_id: Which.
        right: Which it takes.

    Raises:
        NotFound: There is none, or the caller is not in it.
        Refused: They are in it, and the right does not reach it.
    """
    with pool.database.read() as session:
        team = rows.find(session, team_id)
    seen = caller.admin or team_id in caller.teams
    if team is None or not seen:
        raise NotFound(f"there is no team {team_id}")
    if not caller.may(right, owner_id=None, team_id=team_id):
        sentence = f"only owners of {team.name} and admins may do that"
        raise Refused(sentence, code="team.owners", params={"name": team.name})
    return team


def members(pool: Pool, team_id: UUID) -> list[Member]:
    """Who is in a team, by name."""
    with pool.database.read() as session:
        return rows.members(session, team_id)


def put_member(pool: Pool, actor: Actor, team: Team, name: str, role: Role) -> None:
    """Take somebody into a team, or give them another role there.

    Raises:
        NotFound: There is no such user.
        SpecError: The role is none of a team's.
    """
    if role not in TEAM_ROLES:
        raise SpecError("role", f"must be {', '.join(TEAM_ROLES)}")
    with pool.database.write() as session:
        user = named(session, name)
        rows.put_member(session, team.id, user.id, role)
        audit.append(session, actor, "team.add", team.name, user=user.name, role=role)


def remove_member(pool: Pool, actor: Actor, team: Team, name: str) -> None:
    """Take somebody out of a team; their batches stay with it.

    Raises:
        NotFound: There is no such user, or they are not in it.
    """
    with pool.database.write() as session:
        user = named(session, name)
        if not rows.remove_member(session, team.id, user.id):
            raise NotFound(f"{name} is not in {team.name}")
        audit.append(session, actor, "team.remove", team.name, user=user.name)


def _found(session: Session, reference: str) -> Team:
    team = None
    if is_storable(reference) and "\0" not in reference:
        team = rows.find(session, reference) or rows.find(session, _as_id(reference) or reference)
    if team is None:
        raise NotFound(f"there is no team {reference!r}; maskpool team ls shows those there are")
    return team


def _as_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None
