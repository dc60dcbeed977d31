"""Server-sent events: how the batches that go on are, as often as it changes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from db.seen import SeenBatch
from maskpool.errors import MaskpoolError
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import needs
from web.crier import Crier
from web.listeners import Listening
from web.router import Router
from web.routes.batches import Batch, shown
from web.shapes import Shown
from web.watcher import Snapshot

router = Router(prefix="/api/v1/events", tags=["events"])

#: A stream that has nothing to say says so: else proxies close it.
_PING_SECONDS = 15.0


class Snapshots(Shown):
    """What `data` of each event `batches` holds: the whole present state, never a difference."""

    batches: list[Batch] = Field(description="That go on, or ended within the last minute.")


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `batches`."}},
)
async def listen(
    request: Request, _caller: Annotated[Caller, needs(Right.READ)]
) -> StreamingResponse:
    """Tell how the batches that one may see go on, at most once a second."""
    # A proxy that keeps answers back would make them late.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    who = Listening(request.app.state.listeners, request)
    told = tell(request.app.state.crier, who)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def tell(crier: Crier, who: Listening) -> AsyncIterator[str]:
    """Snapshots for one listener, until the process stops or they may not listen any more.

    Args:
        crier: Wakes those who listen.
        who: Who listens.
    """
    with who:
        yield "retry: 1000\n\n"
        said, spoke = "", time.monotonic()
        heard: Snapshot | None = None
        with suppress(MaskpoolError):  # while the database is away, there is nothing to hear
            heard = await crier.watcher.latest()
        while not crier.closing.is_set() and (caller := await who.caller()) is not None:
            now = time.monotonic()
            text = said if heard is None else _text(heard, caller)
            if text != said or now - spoke >= _PING_SECONDS:
                yield f"event: batches\ndata: {text}\n\n" if text != said else ": nothing new\n\n"
                said, spoke = text, now
            heard = await crier.wait(heard, min(who.until, spoke + _PING_SECONDS))


def _text(snapshot: Snapshot, caller: Caller) -> str:
    """What a caller is told; written once for all who see the same."""
    sees = (caller.user_id, caller.teams_for(Right.READ))
    text = snapshot.texts.get(sees)
    if text is None:
        mine = [_written(snapshot, one) for one in snapshot.batches if _sees(caller, one)]
        text = snapshot.texts[sees] = f'{{"batches":[{",".join(mine)}]}}'
    return text


def _written(snapshot: Snapshot, batch: SeenBatch) -> str:
    text = snapshot.texts.get(batch.batch_id)
    if text is None:
        text = Batch.model_validate(shown(batch)).model_dump_json(by_alias=True)
        snapshot.texts[batch.batch_id] = text
    return text


def _sees(caller: Caller, batch: SeenBatch) -> bool:
    return caller.may(Right.READ, owner_id=batch.owner_id, team_id=batch.team_id)
