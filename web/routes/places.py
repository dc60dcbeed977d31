"""Places that batches can be made of without bringing anything: buckets and hosts, by team."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from producer.accounts import grants, teams
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Pooled, needs
from web.router import Router
from web.shapes import Shown

router = Router(prefix="/api/v1/places", tags=["places"])


class Place(Shown):
    """Where a team may read images from."""

    team: UUID = Field(examples=["01a1fcdc-b907-771a-84fd-d7ac484311e2"])
    kind: str = Field(description="`bucket` or `host`.", examples=["bucket"])
    place: str = Field(
        description="Bucket and prefix; a host's name, or `*.name` for all below it.",
        examples=["street-photos/2026/"],
    )


@router.get("")
def list_places(pool: Pooled, caller: Annotated[Caller, needs(Right.SUBMIT)]) -> list[Place]:
    """List the places of all teams that one may submit for."""
    mine = teams.listing(pool, caller.teams_for(Right.SUBMIT))
    return [
        Place(team=team.id, kind=one.kind, place=one.place)
        for team in mine
        for one in grants.listing(pool, team.id)
    ]
