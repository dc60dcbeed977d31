"""Server-sent events: how the batches that go on are, as often as it changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from threading import Event
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from db.seen import SeenBatch
from maskpool.errors import MaskpoolError
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import needs
from web.problems import Problem
from web.routes.batches import Batch, shown
from web.shapes import Shown
from web.watcher import Watched, Watcher

router = APIRouter(prefix="/api/v1/events", tags=["events"])

#: Least seconds between two snapshots for one listener.
_LEAST_SECONDS = 1.0

#: A stream that has nothing to say says so: else proxies close it.
_PING_SECONDS = 15.0

#: How long a revoked token or session may go on listening.
_STILL_SECONDS = 5.0

#: How soon a stream hears that the process is to stop.
_STEP_SECONDS = 0.25


class Snapshots(Shown):
    """What `data` of each event `batches` holds: the whole present state, never a difference."""

    batches: list[Batch] = Field(description="That go on, or ended within the last minute.")


#: Asks again who listens; None once nobody does.
Still = Callable[[], Caller | None]


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `batches`."}},
)
async def listen(
    request: Request, caller: Annotated[Caller, needs(Right.READ)], watcher: Watched
) -> StreamingResponse:
    """Tell how the batches that one may see go on, at most once a second."""
    state = request.app.state

    def still() -> Caller | None:
        found: Caller | None = state.authenticate(request)
        return found if found is not None and found.has(Right.READ) else None

    # A proxy that keeps answers back would make them late.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    told = tell(watcher, caller, still, state.closing)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def tell(
    watcher: Watcher, caller: Caller, still: Still, closing: Event
) -> AsyncIterator[str]:
    """Snapshots for one listener, until the process stops or they may not listen any more.

    Args:
        watcher: Reads the rows.
        caller: Who listens.
        still: Asks again who that is.
        closing: Set when the process is to stop.
    """
    yield "retry: 1000\n\n"
    said, spoke, asked = "", time.monotonic(), time.monotonic()
    while not closing.is_set():
        now = time.monotonic()
        if now - asked > _STILL_SECONDS:
            asked, known = now, await _ask(still)
            if known is None:
                return
            caller = known
        text = await _snapshot(watcher, caller, said)
        if text != said or now - spoke > _PING_SECONDS:
            yield f"event: batches\ndata: {text}\n\n" if text != said else ": nothing new\n\n"
            said, spoke = text, now
        for _ in range(round(_LEAST_SECONDS / _STEP_SECONDS)):
            if not closing.is_set():
                await asyncio.sleep(_STEP_SECONDS)


async def _ask(still: Still) -> Caller | None:
    try:
        return await asyncio.to_thread(still)
    except (MaskpoolError, Problem):
        return None


async def _snapshot(watcher: Watcher, caller: Caller, before: str) -> str:
    """What the caller sees now; the same as before while the database is away."""
    try:
        snapshot = await watcher.latest()
    except MaskpoolError:
        return before
    mine = [one for one in snapshot.batches if _sees(caller, one)]
    content = Snapshots(batches=[Batch.model_validate(shown(one)) for one in mine])
    return content.model_dump_json(by_alias=True)


def _sees(caller: Caller, batch: SeenBatch) -> bool:
    return caller.may(Right.READ, owner_id=batch.owner_id, team_id=batch.team_id)
