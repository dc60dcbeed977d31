"""The audit log: for admins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from producer.accounts import audit
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Pooled, needs
from web.router import Router
from web.shapes import Shown, moment

router = Router(prefix="/api/v1/audit", tags=["users"])

_MAX_ID = 2**63 - 1


class Line(Shown):
    """Who did what."""

    id: int = Field(examples=[42])
    at: datetime = Field(examples=[datetime.fromisoformat("2026-11-28T14:00:00Z")])
    user_id: int | None = Field(description="Null where nobody is known.", examples=[7])
    user_name: str = Field(description="Their name then.", examples=["ann"])
    action: str = Field(examples=["token.create"])
    target: str = Field(examples=["mp_1f0c9a77"])
    detail: dict[str, Any] | None = Field(examples=[{"days": 90}])


class Lines(Shown):
    """A page of the log, newest first."""

    items: list[Line]
    next: int | None = Field(
        description="What ``before`` must be for the page after this; null at the end.",
        examples=[41],
    )


@router.get("")
def read_log(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.USERS)],
    before: Annotated[int | None, Query(ge=0, le=_MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Lines:
    """Read the log, newest first, page by page."""
    del caller
    found = audit.page(pool, before=before, limit=limit)
    lines = [
        Line(
            id=one.id,
            at=moment(one.at),
            user_id=one.user_id,
            user_name=one.user_name,
            action=one.action,
            target=one.target,
            detail=one.detail,
        )
        for one in found
    ]
    return Lines(items=lines, next=lines[-1].id if len(lines) == limit else None)
