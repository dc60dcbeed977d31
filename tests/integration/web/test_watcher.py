"""What one reading of the rows tells all who ask: never old, and never to those who may not see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from services.door import Door, open_door
from services.plain_pool import PlainPool
from sqlalchemy import event, update

from db.models import BatchRow, MembershipRow
from maskpool.domain import new_id
from producer.accounts import authenticate
from producer.accounts.rights import Right
from web import watcher
from web.watcher import Watcher


@pytest.fixture
def door(sqlite_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(sqlite_url, tmp_path) as door:
        yield door


@pytest.fixture
def batch(door: Door) -> UUID:
    made = PlainPool(door.pool.database, door.pool.store()).submit(2)
    change(door, made, owner_id=door.users["maker"], team_id=door.team)
    return made


def change(door: Door, batch_id: UUID, **values: Any) -> None:
    """Change a row as another process does, of which this one hears nothing."""
    with door.pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(values))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Says how old a reading may be, in seconds."""
    return lambda seconds: monkeypatch.setattr(watcher, "_MAX_AGE_SECONDS", seconds)


def reads_of(door: Door) -> list[str]:
    """Statements that the application runs from now on."""
    said: list[str] = []
    engine = door.pool.database._engine
    event.listen(engine, "before_cursor_execute", lambda *words: said.append(words[2]))
    return said


def test_all_who_ask_within_its_age_are_told_one_reading(
    door: Door, batch: UUID, kept: Callable[[float], None]
) -> None:
    kept(3600.0)
    headers, path = door.token("maker", Right.READ), f"/api/v1/batches/{batch}"
    first = door.client.get(path, headers=headers)
    said = reads_of(door)
    again = [door.client.get(path, headers=headers) for _ in range(5)]
    assert [one.content for one in again] == [first.content] * 5
    assert said == []
    known = {**headers, "if-none-match": first.headers["etag"]}
    assert door.client.get(path, headers=known).status_code == 304


def test_a_reading_is_never_older_than_it_may_be(door: Door, batch: UUID) -> None:
    headers, path = door.token("viewer", Right.READ), f"/api/v1/batches/{batch}"
    for number in range(3):
        assert door.client.get(path, headers=headers).status_code == 200
        change(door, batch, name=f"name {number}")
        time.sleep(watcher._MAX_AGE_SECONDS)
        assert door.client.get(path, headers=headers).json()["name"] == f"name {number}"
    change(door, batch, deleted_at=1)
    time.sleep(watcher._MAX_AGE_SECONDS)
    assert door.client.get(path, headers=headers).status_code == 404


def test_a_change_of_this_process_is_seen_at_once(
    door: Door, batch: UUID, kept: Callable[[float], None]
) -> None:
    kept(3600.0)
    path = f"/api/v1/batches/{batch}"
    headers = door.token("maker", Right.READ, Right.CHANGE, Right.DELETE)
    assert door.client.get(path, headers=headers).json()["state"] == "active"
    assert door.client.post(f"{path}/pause", headers=headers).status_code == 200
    assert door.client.get(path, headers=headers).json()["state"] == "paused"
    assert door.client.delete(path, headers=headers).status_code == 202
    assert door.client.get(path, headers=headers).status_code == 404


def test_what_is_remembered_is_told_only_to_those_who_may_see_it(
    door: Door, batch: UUID, kept: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(3600.0)
    path = f"/api/v1/batches/{batch}"
    viewer, owner = (door.token(who, Right.READ) for who in ("viewer", "maker"))
    for headers in (viewer, owner):
        assert door.client.get(path, headers=headers).status_code == 200
    stranger = door.token("other team's owner", Right.READ)
    answers = {
        who: door.client.get(where, headers=headers)
        for who, where, headers in (
            ("sees it not", path, stranger),
            ("none there", f"/api/v1/batches/{new_id()}", stranger),
        )
    }
    assert [one.status_code for one in answers.values()] == [404, 404]
    assert len({one.json()["code"] for one in answers.values()}) == 1
    with door.pool.database.write() as session:
        gone = MembershipRow.__table__.delete()
        session.execute(gone.where(MembershipRow.user_id == door.users["viewer"]))
    later = time.monotonic() + authenticate.KEPT_SECONDS
    monkeypatch.setattr(authenticate.time, "monotonic", lambda: later)
    kept(7200.0)
    assert door.client.get(path, headers=viewer).status_code == 404
    assert door.client.get(path, headers=owner).status_code == 200


def test_those_who_ask_at_once_share_a_reading(door: Door) -> None:
    work = PlainPool(door.pool.database, door.pool.store())
    batches = [work.submit(1) for _ in range(5)]
    eyes, unknown = Watcher(door.pool), new_id()

    async def ask() -> list[Any]:
        return list(await asyncio.gather(*map(eyes.batch, [*batches, unknown] * 20)))

    said = reads_of(door)
    found = asyncio.run(ask())
    assert [None if one is None else one.batch.seen.batch_id for one in found] == [
        *batches,
        None,
    ] * 20
    # The first one reads its own, and meanwhile all others gather.
    assert len([one for one in said if "FROM batches" in one]) <= 2
