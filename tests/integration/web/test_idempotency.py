"""``Idempotency-Key`` on every route that creates something: again is the same, and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from services.door import Door, open_door
from sqlalchemy import func, select, update

from db.models import IdempotencyRow, SourceGrantRow, TeamRow, TokenRow, UploadRow, UserRow

#: What each route is asked, and another body; what it makes; who asks; and its secret.
CREATING: dict[str, tuple[dict[str, Any], dict[str, Any], type, str, str]] = {
    "tokens": (
        *({"name": "a", "rights": ["read"]}, {"name": "b", "rights": ["read"]}),
        *(TokenRow, "maker", "token"),
    ),
    "users": ({"name": "zoe"}, {"name": "zed"}, UserRow, "admin", "password"),
    "teams": ({"name": "birds"}, {"name": "bees"}, TeamRow, "admin", ""),
    "teams/{team}/grants": (
        *({"kind": "host", "place": "a.org"}, {"kind": "host", "place": "b.org"}),
        *(SourceGrantRow, "admin", ""),
    ),
    "uploads": ({"name": "yard"}, {"name": "street"}, UploadRow, "maker", ""),
}


@pytest.fixture
def door(sqlite_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(sqlite_url, tmp_path) as door:
        yield door


def count(door: Door, table: type) -> int:
    with door.pool.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.parametrize("route", CREATING)
def test_the_same_again_makes_nothing_and_shows_no_secret(door: Door, route: str) -> None:
    body, other, table, who, secret = CREATING[route]
    headers = {**door.cookie(who), "idempotency-key": "k"}
    url = f"/api/v1/{route.replace('{team}', str(door.team))}"
    before = count(door, table)
    first = door.client.post(url, json=body, headers=headers)
    assert first.status_code == 201, first.text
    assert "idempotency-replayed" not in first.headers
    again = door.client.post(url, json=body, headers=headers)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    expected = first.json()
    if secret:
        assert expected[secret]
        with door.pool.database.read() as session:
            [kept] = session.scalars(select(IdempotencyRow.answer))
        assert expected[secret] not in str(kept), "a secret is kept nowhere"
        expected |= {secret: None}
    assert again.json() == expected
    assert count(door, table) == before + 1

    refused = door.client.post(url, json=other, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency.body")
    with door.pool.database.write() as session:
        session.execute(update(IdempotencyRow).values(status=None))
    waits = door.client.post(url, json=body, headers=headers)
    assert (waits.status_code, waits.json()["code"]) == (409, "idempotency.in_flight")
    assert count(door, table) == before + 1


def test_what_was_refused_may_be_asked_again(door: Door) -> None:
    headers = {**door.cookie("admin"), "idempotency-key": "k"}
    assert (
        door.client.post("/api/v1/teams", json={"name": "cats"}, headers=headers).status_code == 409
    )
    assert (
        door.client.post("/api/v1/teams", json={"name": "owls"}, headers=headers).status_code == 201
    )


def test_many_at_once_begin_one_upload(door: Door) -> None:
    headers = {**door.cookie("maker"), "idempotency-key": "k"}
    before = count(door, UploadRow)

    def send(_: int) -> int:
        return int(door.client.post("/api/v1/uploads", json={}, headers=headers).status_code)

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(send, range(8))) <= {201, 409}
    assert count(door, UploadRow) == before + 1
