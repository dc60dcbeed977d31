"""Teams: who is in them, and the places they may read images from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy.orm import Session

from producer.accounts import grants, teams
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right, Role
from web.access import Pooled, needs
from web.authentication import Who
from web.idempotency import Answer, Idempotent, Seal
from web.router import Router
from web.shapes import Asked, Shown, moment

router = Router(prefix="/api/v1/teams", tags=["teams"])

_ID = "01a1fcdc-b907-771a-84fd-d7ac484311e2"


class AskedTeam(Asked):
    """A team that is to be made."""

    name: str = Field(max_length=200, examples=["street scenes"])


class AskedRole(Asked):
    """What somebody is to be in a team."""

    role: Literal["viewer", "annotator", "owner"] = Field(examples=["annotator"])


class AskedGrant(Asked):
    """A place that a team is to read from."""

    kind: Literal["bucket", "host"] = Field(examples=["bucket"])
    place: str = Field(
        max_length=1_000,
        description="bucket or bucket/prefix; a host's name, or *.name for all below it.",
        examples=["street-photos/2026/"],
    )


class Team(Shown):
    """One team."""

    id: UUID = Field(examples=[_ID])
    name: str = Field(examples=["street scenes"])


class Member(Shown):
    """Somebody in a team."""

    user_id: int = Field(examples=[7])
    name: str = Field(examples=["ann"])
    role: Role = Field(examples=[Role.ANNOTATOR])


class Grant(Shown):
    """A place that a team may read from."""

    id: UUID = Field(examples=[_ID])
    kind: str = Field(examples=["bucket"])
    place: str = Field(examples=["street-photos/2026/"])
    created_at: datetime = Field(examples=[datetime.fromisoformat("2026-11-28T14:00:00Z")])


@router.get("")
def list_teams(pool: Pooled, caller: Annotated[Caller, needs(Right.TEAM)]) -> list[Team]:
    """List the teams whose members one may choose, by name."""
    only = caller.teams_for(Right.TEAM)
    return [Team(id=one.id, name=one.name) for one in teams.listing(pool, only)]


@router.post("", status_code=201, response_model=Team)
def create_team(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    asked: AskedTeam,
    once: Idempotent,
) -> JSONResponse:
    """Make a team."""

    def answer(team_id: UUID) -> Answer:
        return Answer(201, Team(id=team_id, name=asked.name))

    def work(seal: Seal) -> Answer:
        def also(session: Session, team_id: UUID) -> None:
            seal(session, answer(team_id))

        return answer(teams.create(pool, Actor.of(caller), asked.name, also))

    return once.run(pool, caller, work)


@router.get("/{team_id}/members")
def list_members(
    pool: Pooled, caller: Annotated[Caller, needs(Right.TEAM)], team_id: UUID
) -> list[Member]:
    """List who is in a team, by name."""
    teams.visible(pool, caller, team_id)
    return [
        Member(user_id=one.user_id, name=one.name, role=Role(one.role))
        for one in teams.members(pool, team_id)
    ]


@router.put("/{team_id}/members/{user_name}", status_code=204)
def put_member(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.TEAM)],
    team_id: UUID,
    user_name: str,
    asked: AskedRole,
    who: Who,
) -> None:
    """Take somebody into a team, or give them another role there."""
    team = teams.visible(pool, caller, team_id)
    teams.put_member(pool, Actor.of(caller), team, user_name, Role(asked.role))
    who.forget()


@router.delete("/{team_id}/members/{user_name}", status_code=204)
def remove_member(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.TEAM)],
    team_id: UUID,
    user_name: str,
    who: Who,
) -> None:
    """Take somebody out of a team; their batches stay with it."""
    team = teams.visible(pool, caller, team_id)
    teams.remove_member(pool, Actor.of(caller), team, user_name)
    who.forget()


@router.get("/{team_id}/grants")
def list_grants(
    pool: Pooled, caller: Annotated[Caller, needs(Right.TEAM)], team_id: UUID
) -> list[Grant]:
    """List the places that a team may read images from."""
    teams.visible(pool, caller, team_id)
    return [_shown(one) for one in grants.listing(pool, team_id)]


@router.post("/{team_id}/grants", status_code=201, response_model=Grant)
def add_grant(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    team_id: UUID,
    asked: AskedGrant,
    once: Idempotent,
) -> JSONResponse:
    """Let a team read images from a place."""
    team = teams.visible(pool, caller, team_id, Right.USERS)

    def work(_: Seal) -> Answer:
        made = grants.grant(pool, Actor.of(caller), team, asked.kind, asked.place)
        return Answer(201, _shown(made))

    return once.run(pool, caller, work)


@router.delete("/{team_id}/grants/{grant_id}", status_code=204)
def remove_grant(
    pool: Pooled, caller: Annotated[Caller, needs(Right.USERS)], team_id: UUID, grant_id: UUID
) -> None:
    """Let a team no longer read from a place; what was submitted goes on."""
    team = teams.visible(pool, caller, team_id, Right.USERS)
    grants.take_back(pool, Actor.of(caller), team, grant_id)


def _shown(row: grants.Grant) -> Grant:
    return Grant(id=row.id, kind=row.kind, place=row.place, created_at=moment(row.created_at))
