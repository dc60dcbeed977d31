"""The trash: batches that were deleted can be had back for a day."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field

from db.seen import Place
from producer import trash
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web import cursors
from web.access import Pooled, needs
from web.router import Router
from web.routes.batches import AskedTask, Batch, shown
from web.shapes import Shown, moment

router = Router(prefix="/api/v1/trash", tags=["batches"])

_TIME = datetime.fromisoformat("2026-11-28T14:00:00Z")


class TrashedBatch(Batch):
    """A batch in the trash."""

    deleted_at: datetime = Field(examples=[_TIME])
    until: datetime = Field(description="It is cleared away then.", examples=[_TIME])


class Trash(Shown):
    """One page of the trash; those made last come first."""

    batches: list[TrashedBatch]
    next: str | None = Field(
        description="Hand it back as `after`; null at the end.", examples=[None]
    )


@router.get("")
def list_trash(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    after: Annotated[str | None, Query(max_length=500, description="`next` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Trash:
    """List what was deleted within a day, of what one may see."""
    place = None if after is None else Place(*cursors.read(after, cursors.row_time, UUID))
    found = trash.listing(pool, caller, after=place, limit=limit + 1)
    last = found[limit - 1].batch.progress if len(found) > limit else None
    return Trash(
        batches=[
            TrashedBatch.model_validate(
                shown(one.batch)
                | {"deleted_at": moment(one.times.deleted_at), "until": moment(one.times.until)}
            )
            for one in found[:limit]
            if one.times is not None
        ],
        next=None if last is None else cursors.written(last.created_at_ms, last.batch_id),
    )


@router.post("/{deleted_id}/restore")
def restore_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.DELETE)], deleted_id: UUID
) -> Batch:
    """Have a batch back; what was not done when it was deleted stays cancelled."""
    return Batch.model_validate(shown(trash.restore(pool, caller, deleted_id)))


@router.delete("/{deleted_id}", status_code=202)
def clear_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.DELETE)], deleted_id: UUID
) -> AskedTask:
    """Clear a batch of the trash away at once."""
    return AskedTask(task=trash.clear_now(pool, caller, deleted_id))
