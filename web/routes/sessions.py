"""One's own sessions: the browsers that are logged in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from producer.accounts import sessions
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Pooled, needs
from web.authentication import Who
from web.router import Router
from web.shapes import Shown, moment

router = Router(prefix="/api/v1/sessions", tags=["session"])

_MOMENT = datetime.fromisoformat("2026-11-28T14:00:00Z")


class Session(Shown):
    """One browser that is logged in."""

    id: UUID = Field(examples=["01a1fcdc-b907-771a-84fd-d7ac484311e2"])
    agent: str = Field(description="As the browser names itself.", examples=["Mozilla/5.0"])
    created_at: datetime = Field(examples=[_MOMENT])
    seen_at: datetime = Field(description="To a minute.", examples=[_MOMENT])
    expires_at: datetime = Field(examples=[_MOMENT])
    this: bool = Field(description="Whether it is the one that asks.", examples=[True])


@router.get("")
def list_sessions(pool: Pooled, caller: Annotated[Caller, needs(Right.ACCOUNT)]) -> list[Session]:
    """List one's sessions, the latest first."""
    return [
        Session(
            id=one.id,
            agent=one.agent,
            created_at=moment(one.created_at),
            seen_at=moment(one.seen_at),
            expires_at=moment(one.expires_at),
            this=one.id == caller.session_id,
        )
        for one in sessions.listing(pool, caller)
    ]


@router.delete("/{session_id}", status_code=204)
def end_session(
    pool: Pooled, caller: Annotated[Caller, needs(Right.ACCOUNT)], session_id: UUID, who: Who
) -> None:
    """End one of one's sessions: its cookie counts no more."""
    sessions.end(pool, caller, session_id)
    who.forget()
