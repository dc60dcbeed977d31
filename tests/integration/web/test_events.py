"""Events: the present state and nothing else, for those who may see it, until the process stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any

import pytest
from fastapi import Request
from services.door import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import event, update

from db.models import BatchRow, SessionRow, TokenRow
from maskpool.errors import Unreachable
from producer.accounts.authenticate import Authenticator
from producer.accounts.caller import Caller
from producer.accounts.rights import Right, Role
from web import crier, listeners
from web.authentication import Authentication
from web.listeners import Listeners, Listening
from web.place import Place
from web.routes import events
from web.watcher import Watcher

#: How late a listener is woken at most, outside of these tests.
WOKEN_SECONDS = crier._LEAST_SECONDS + crier._STEP_SECONDS


@pytest.fixture
def door(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    monkeypatch.setattr(crier, "_STEP_SECONDS", 0.02)
    monkeypatch.setattr(crier, "_LEAST_SECONDS", 0.04)
    with open_door(database_url, tmp_path) as door:
        yield door


def caller(door: Door, name: str) -> Caller:
    role = {"maker": Role.ANNOTATOR, "viewer": Role.VIEWER}.get(name)
    return Caller(door.users[name], name, teams={door.team: role} if role else {})


class Believing:
    """Takes everybody for one caller."""

    def __init__(self, who: Caller) -> None:
        self._who = who

    def __call__(self, _request: Request) -> Caller | None:
        return self._who

    remembered = __call__

    def again(self, requests: Sequence[Request]) -> list[Caller | None]:
        return [self._who for _ in requests]


def asking(headers: Mapping[str, str] = MappingProxyType({})) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": raw})


def listening(who: Caller) -> Listening:
    return Listening(Listeners(Believing(who)), asking())


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
        stream = events.tell(one, listening(mine))
        other = events.tell(one, listening(theirs))
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
        stream = events.tell(crier.Crier(Watcher(door.pool), Event()), listening(mine))
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


def known(door: Door) -> Listeners:
    """Listeners of another process than the one that revokes."""
    return Listeners(
        Authentication(Place.of(door.pool.settings), Authenticator(door.pool.database))
    )


@pytest.mark.parametrize("kind", ["token", "session"])
def test_a_stream_of_what_was_revoked_elsewhere_ends(
    door: Door, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(listeners, "STILL_SECONDS", 0.05)
    others = door.token("viewer", Right.READ)
    mine = door.token("maker", Right.READ) if kind == "token" else door.cookie("maker")

    def revoke() -> None:
        row, over = (
            (TokenRow, {"revoked_at": 1}) if kind == "token" else (SessionRow, {"expires_at": 1})
        )
        with door.pool.database.write() as session:
            session.execute(update(row).where(row.user_id == door.users["maker"]).values(**over))

    async def listen() -> None:
        one, all_of_them = crier.Crier(Watcher(door.pool), Event()), known(door)
        stream = events.tell(one, Listening(all_of_them, asking(mine)))
        other = events.tell(one, Listening(all_of_them, asking(others)))
        for each in (stream, other):
            assert await anext(each) == "retry: 1000\n\n"
            assert told(await anext(each)) == []
        waiting = asyncio.ensure_future(anext(other))
        await asyncio.to_thread(revoke)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert not waiting.done(), "whoever may still listen does"
        waiting.cancel()

    asyncio.run(asyncio.wait_for(listen(), 60))


def test_an_answer_for_a_listener_is_never_older_than_five_seconds(door: Door) -> None:
    assert listeners.STILL_SECONDS + WOKEN_SECONDS < 5


def test_whoever_begins_to_listen_is_looked_up_though_they_are_remembered(door: Door) -> None:
    mine = door.token("maker", Right.READ)
    all_of_them = known(door)

    async def listen() -> Caller | None:
        before, after = asking(mine), asking(mine)
        all_of_them.add(before)
        assert await all_of_them.caller(before) is not None
        with door.pool.database.write() as session:
            session.execute(update(TokenRow).values(revoked_at=1))
        all_of_them.add(after)
        return await all_of_them.caller(after)

    assert asyncio.run(listen()) is None


def test_the_rows_are_asked_once_for_all_who_listen(door: Door) -> None:
    all_of_them = known(door)
    requests = [asking(door.token("maker", Right.READ)) for _ in range(20)]
    requests += [asking(door.cookie("viewer")) for _ in range(20)]
    statements: list[str] = []

    async def listen() -> list[Caller | None]:
        for one in requests:
            all_of_them.add(one)
        await all_of_them.caller(requests[0])  # which also marks each as used

        def count(*args: Any) -> None:
            statements.append(args[2])

        event.listen(door.pool.database._engine, "before_cursor_execute", count)
        all_of_them._asked_at = float("-inf")
        return await asyncio.gather(*(all_of_them.caller(one) for one in requests))

    assert {one.name for one in asyncio.run(listen()) if one} == {"maker", "viewer"}
    assert len([one for one in statements if "secret_hash" in one]) == 2, statements


def test_nobody_listens_who_cannot_be_looked_up(door: Door) -> None:
    class Away(Believing):
        def again(self, _requests: Sequence[Request]) -> list[Caller | None]:
            raise Unreachable("the database", "is away")

    async def listen() -> int:
        who = Listening(Listeners(Away(caller(door, "maker"))), asking())
        return len(
            [one async for one in events.tell(crier.Crier(Watcher(door.pool), Event()), who)]
        )

    assert asyncio.run(asyncio.wait_for(listen(), 60)) == 1
