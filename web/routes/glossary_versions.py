"""A list of words taken back to what it was, as after an import that nobody wanted."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from producer import glossary
from producer.accounts import teams
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.glossary import Team
from producer.pool import Pool
from web import etags
from web.access import Pooled, needs
from web.router import Router
from web.routes.glossary import STALE, IfMatch, fits
from web.shapes import Asked, Shown

router = Router(prefix="/api/v1", tags=["glossary"])


class AskedVersion(Asked):
    """Which version a list is to be again."""

    version: int = Field(
        ge=0, le=2**31 - 1, description="As an answer named it; 0: the empty list.", examples=[0]
    )


class Reverted(Shown):
    """The list after it was taken back; that is one more change of it."""

    version: int = Field(examples=[6])
    changed: int = Field(description="Words that are otherwise now, or gone.", examples=[103])


@router.post("/glossary/revert", responses=STALE)
def revert_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    asked: AskedVersion,
    if_match: IfMatch = None,
) -> Reverted:
    """Make the pool's list what it was at an earlier version; If-Match keeps later changes safe."""
    return _revert(pool, caller, None, asked.version, if_match)


@router.post("/teams/{team_id}/glossary/revert", responses=STALE)
def revert_team_words(
    *,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    team_id: UUID,
    asked: AskedVersion,
    if_match: IfMatch = None,
) -> Reverted:
    """Make a team's list what it was at an earlier version; If-Match keeps later changes safe."""
    team = teams.visible(pool, caller, team_id, Right.SUBMIT)
    return _revert(pool, caller, team, asked.version, if_match)


def _revert(
    pool: Pool, caller: Caller, team: Team | None, version: int, if_match: str | None
) -> Reverted:
    try:
        done = glossary.revert(pool, Actor.of(caller), team, version, fits(if_match, team))
    except glossary.Stale as error:
        raise etags.stale(str(error)) from None
    return Reverted(version=done.version, changed=done.added + len(done.before))
