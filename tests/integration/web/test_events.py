"""Events: the present state and nothing else, for those who may see it, until the process stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from services.door import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import update

from db.models import BatchRow
from producer.accounts.caller import Caller
from producer.accounts.rights import Role
from web import crier
from web.routes import events
from web.watcher import Watcher


@pytest.fixture
def door(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr(crier, "_STEP_SECONDS", 0.02)
    monkeypatch.setattr(crier, "_LEAST_SECONDS", 0.04)
    with open_door(database_url, tmp_path) as door:
        yield door


def caller(door: Door, name: str) -> Caller:
    role = {"maker": Role.ANNOTATOR, "viewer": Role.VIEWER}.get(name)
    return Caller(door.users[name], name, teams={door.team: role} if role else {})


def still(who: Caller | None) -> events.Still:
    async def ask() -> Caller | None:
        return who

    return ask


def told(text: str) -> Any:
    assert text.startswith("event: batches\ndata: ")
    return json.loads(text.partition("data: ")[2])["batches"]


def test_a_listener_hears_each_state_and_the_end(door: Door) -> None:
    work = PlainPool(door.pool.database, door.pool.store())
    batch = work.submit(4)
    with door.pool.database.write() as session:
        owned = {"owner_id": door.users["maker"], "team_id": door.team}
        session.execute(update(BatchRow).where(BatchRow.id == batch).values(owned))
    closing = Event()

    async def listen() -> list[Any]:
        mine, theirs = caller(door, "viewer"), caller(door, "of no team")
        one = crier.Crier(Watcher(door.pool), closing)
        stream = events.tell(one, mine, still(mine))
        other = events.tell(one, theirs, still(theirs))
        assert [await anext(one) for one in (stream, other)] == ["retry: 1000\n\n"] * 2
        heard = [told(await anext(stream)), told(await anext(other))]
        await asyncio.to_thread(work.drain)
        while heard[-1] == [] or heard[-1][0]["state"] != "done":
            heard.append(told(await anext(stream)))
        closing.set()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return heard

    first, nothing, *_, last = asyncio.run(asyncio.wait_for(listen(), 60))
    assert [(one["id"], one["state"]) for one in first] == [(str(batch), "active")]
    assert nothing == []
    assert (last[0]["done"], last[0]["state"]) == (4, "done")


def test_a_batch_that_ends_between_two_looks_is_told(door: Door) -> None:
    work = PlainPool(door.pool.database, door.pool.store())

    def begin_and_end() -> str:
        batch = work.submit(1)
        with door.pool.database.write() as session:
            owned = {"owner_id": door.users["maker"]}
            session.execute(update(BatchRow).where(BatchRow.id == batch).values(owned))
        work.drain()
        return str(batch)

    async def listen() -> None:
        mine = caller(door, "maker")
        stream = events.tell(crier.Crier(Watcher(door.pool), Event()), mine, still(mine))
        await anext(stream)
        assert told(await anext(stream)) == []
        batch = await asyncio.to_thread(begin_and_end)
        while not (heard := told(await anext(stream))):
            pass
        assert [(one["id"], one["state"]) for one in heard] == [(batch, "done")]
        with door.pool.database.write() as session:
            session.execute(update(BatchRow).values(finished_at=1))
        while told(await anext(stream)) != []:
            pass

    asyncio.run(asyncio.wait_for(listen(), 60))


def test_whoever_may_not_listen_any_more_is_cut_off(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_STILL_SECONDS", 0.05)

    async def listen() -> int:
        one = crier.Crier(Watcher(door.pool), Event())
        stream = events.tell(one, caller(door, "maker"), still(None))
        return len([one async for one in stream])

    assert asyncio.run(asyncio.wait_for(listen(), 60)) == 2
