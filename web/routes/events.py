"""Server-sent events: how the batches that go on are, as often as it changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from db.seen import SeenBatch
from maskpool.errors import MaskpoolError
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Needs, needs
from web.crier import Crier
from web.routes.batches import Batch, shown
from web.shapes import Shown
from web.watcher import Snapshot

router = APIRouter(prefix="/api/v1/events", tags=["events"])

#: A stream that has nothing to say says so: else proxies close it.
_PING_SECONDS = 15.0

#: Seconds between two looks at who listens; what is looked at may be as old again.
_STILL_SECONDS = 5.0


class Snapshots(Shown):
    """What `data` of each event `batches` holds: the whole present state, never a difference."""

    batches: list[Batch] = Field(description="That go on, or ended within the last minute.")


#: Asks again who listens; None where they may not any more.
Still = Callable[[], Awaitable[Caller | None]]

#: Whose own batches somebody hears of, and of which teams.
Sees = tuple[int, frozenset[UUID] | None]


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `batches`."}},
)
async def listen(
    request: Request, caller: Annotated[Caller, needs(Right.READ)]
) -> StreamingResponse:
    """Tell how the batches that one may see go on, at most once a second."""
    who = request.headers.get("authorization"), request.headers.get("cookie")
    still = partial(request.app.state.still.ask, who, partial(Needs(Right.READ), request))
    # A proxy that keeps answers back would make them late.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    told = tell(request.app.state.crier, caller, still)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def tell(crier: Crier, caller: Caller, still: Still) -> AsyncIterator[str]:
    """Snapshots for one listener, until the process stops or they may not listen any more.

    Args:
        crier: Wakes those who listen.
        caller: Who listens.
        still: Asks again who that is; nobody ends it.
    """
    yield "retry: 1000\n\n"
    said, spoke, asked = "", time.monotonic(), time.monotonic()
    heard: Snapshot | None = None
    with suppress(MaskpoolError):  # while the database is away, there is nothing to hear
        heard = await crier.watcher.latest()
    sees = _sees(caller)
    while not crier.closing.is_set():
        now = time.monotonic()
        if now - asked >= _STILL_SECONDS:
            asked, known = now, await still()
            if known is None:
                return
            if known is not caller:
                caller, sees = known, _sees(known)
        text = said if heard is None else _text(heard, caller, sees)
        if text != said or now - spoke >= _PING_SECONDS:
            yield f"event: batches\ndata: {text}\n\n" if text != said else ": nothing new\n\n"
            said, spoke = text, now
        heard = await crier.wait(heard, min(asked + _STILL_SECONDS, spoke + _PING_SECONDS))


def _sees(caller: Caller) -> Sees:
    return caller.user_id, caller.teams_for(Right.READ)


def _text(snapshot: Snapshot, caller: Caller, sees: Sees) -> str:
    """What a caller is told; written once for all who see the same."""
    text = snapshot.texts.get(sees)
    if text is None:
        mine = [_written(snapshot, one) for one in snapshot.batches if _may_see(caller, one)]
        text = snapshot.texts[sees] = f'{{"batches":[{",".join(mine)}]}}'
    return text


def _written(snapshot: Snapshot, batch: SeenBatch) -> str:
    text = snapshot.texts.get(batch.batch_id)
    if text is None:
        text = Batch.model_validate(shown(batch)).model_dump_json(by_alias=True)
        snapshot.texts[batch.batch_id] = text
    return text


def _may_see(caller: Caller, batch: SeenBatch) -> bool:
    return caller.may(Right.READ, owner_id=batch.owner_id, team_id=batch.team_id)
