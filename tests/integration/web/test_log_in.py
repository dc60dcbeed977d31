"""Logging in, cookies, pages of other sites, the local link, and how often one may try."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Response
from pydantic import SecretStr
from services.door import BASE, OWN_PAGE, Door, open_door

from db import accounts
from producer.accounts import local_link, users
from producer.accounts.audit import Actor
from producer.accounts.local_link import make_link

ROOT = Actor(None, "root")
PASSWORD = "correct horse battery"
ME = "/api/v1/session"


@pytest.fixture
def door(database_url: str, tmp_path: Path) -> Iterator[Door]:
    with open_door(database_url, tmp_path) as door:
        users.create(door.pool, ROOT, "zoe", password=PASSWORD)
        yield door


def log_in(door: Door, name: str = "zoe", password: str = PASSWORD, **headers: str) -> Response:
    door.client.cookies.clear()
    sent: Response = door.client.post(
        ME, json={"name": name, "password": password}, headers=headers
    )
    return sent


def code(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_browser_logs_in_and_out(door: Door) -> None:
    answer = log_in(door, **OWN_PAGE)
    assert answer.status_code == 200
    assert answer.json()["name"] == "zoe"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("maskpool=")
    for part in ("HttpOnly", "Path=/", "SameSite=lax"):
        assert part in cookie
    assert "Secure" not in cookie
    assert door.client.get(ME).json() == answer.json()
    [one] = door.client.get("/api/v1/sessions").json()
    assert one["this"]
    old = dict(door.client.cookies)
    assert door.client.delete(ME, headers=OWN_PAGE).status_code == 204
    assert not door.client.cookies
    door.client.cookies.update(old)
    assert code(door.client.get(ME)) == (401, "auth.missing"), "at once, in this process"


def test_name_and_password_are_refused_alike(door: Door) -> None:
    users.create(door.pool, ROOT, "gone", password=PASSWORD)
    users.deactivate(door.pool, ROOT, "gone")
    answers = [
        log_in(door, "zoe", "wrong"),
        log_in(door, "nobody", PASSWORD),
        log_in(door, "gone", PASSWORD),
        log_in(door, "maker", ""),
    ]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert code(answers[0]) == (401, "auth.wrong")
    assert "set-cookie" not in answers[0].headers


def test_under_tls_the_cookie_is_of_this_host_alone(database_url: str, tmp_path: Path) -> None:
    with open_door(database_url, tmp_path, public_url="https://masks.org/pool") as door:
        users.create(door.pool, ROOT, "zoe", password=PASSWORD)
        door.client.base_url = "https://masks.org"  # type: ignore[assignment]  # httpx reads it
        cookie = log_in(door).headers["set-cookie"]
        assert cookie.startswith("__Host-maskpool=")
        for part in ("HttpOnly", "Path=/", "SameSite=lax", "Secure"):
            assert part in cookie
        assert "Domain" not in cookie
        made = door.client.post(
            "/api/v1/tokens",
            json={"name": "n", "rights": ["read"]},
            headers={"origin": "https://masks.org"},
        )
        assert made.status_code == 201
        link = make_link(door.pool.settings, door.pool.database, "https://masks.org")
        answer = door.client.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, "/pool/")


@pytest.mark.parametrize(
    ("page", "passes"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"origin": BASE}, True),
        ({}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": BASE}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://127.0.0.1:9999"}, False),
        ({"origin": "https://127.0.0.1:8080"}, False),
        ({"origin": f"{BASE}.evil.com"}, False),
    ],
)
def test_a_cookie_changes_something_from_our_own_page_only(
    page: dict[str, str], passes: bool, lasting_door: Door
) -> None:
    client, cookie = lasting_door.client, {"cookie": lasting_door.cookie("maker")["cookie"]}
    client.cookies.clear()
    asked = {"name": "n", "rights": ["read"]}
    answer = client.post("/api/v1/tokens", json=asked, headers={**cookie, **page})
    assert answer.status_code == (201 if passes else 403), answer.text
    assert passes or answer.json()["code"] == "auth.origin"
    assert client.get("/api/v1/tokens", headers={**cookie, **page}).status_code == 200


def test_a_token_needs_no_page(door: Door) -> None:
    log_in(door)
    asked = {"name": "n", "rights": ["read", "account"]}
    made = door.client.post("/api/v1/tokens", json=asked, headers=OWN_PAGE).json()
    door.client.cookies.clear()
    script = {"authorization": f"Bearer {made['token']}", "sec-fetch-site": "cross-site"}
    assert door.client.get(ME, headers=script).json()["by"] == "token"
    path = f"/api/v1/tokens/{made['id']}"
    assert door.client.delete(path, headers=script).status_code == 204
    assert code(door.client.get(ME, headers=script)) == (401, "auth.missing")


def test_another_site_cannot_log_a_browser_in(door: Door) -> None:
    for page in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.com"}):
        assert code(log_in(door, **page)) == (403, "auth.origin")


def test_a_header_that_is_no_token_is_not_made_up_for_by_a_cookie(door: Door) -> None:
    log_in(door)
    for header in ("Bearer nonsense", "Basic em9lOng=", "Bearer", ""):
        answer = door.client.get(ME, headers={"authorization": header})
        assert code(answer) == (401, "auth.missing")


def test_a_link_lets_the_owner_in_once(door: Door) -> None:
    settings = door.pool.settings
    link = make_link(settings, door.pool.database, BASE)
    file = settings.home / local_link.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert link.partition("token=")[2] not in file.read_text()
    answer = door.client.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["referrer-policy"] == "no-referrer"
    me = door.client.get(ME).json()
    assert (me["name"], me["admin"]) == (settings.owner_name, True)
    door.client.cookies.clear()
    again = door.client.get(link)
    assert code(again) == (404, "not_found")
    assert "set-cookie" not in again.headers


def test_a_link_is_worth_nothing_when_it_is_old_wrong_or_replaced(door: Door) -> None:
    settings, database = door.pool.settings, door.pool.database
    first, second = (make_link(settings, database, BASE) for _ in range(2))
    for link in (first, f"{BASE}{local_link.PATH}?token=guess", f"{first}x"):
        assert door.client.get(link).status_code == 404
    file = settings.home / local_link.FILE
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "expires_at": time.time() - 1}))
    assert door.client.get(second).status_code == 404
    owner = users.find(door.pool, settings.owner_name)
    third = make_link(settings, database, BASE)
    with database.write() as session:
        accounts.deactivate(session, owner.id)
    assert door.client.get(third).status_code == 404


def test_ten_tries_of_a_name_are_enough_also_without_redis(door: Door) -> None:
    answers = [log_in(door, "zoe", "wrong") for _ in range(11)]
    assert [one.status_code for one in answers] == [401] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 300
    assert answers[-1].json()["params"]["limit"] == "login.name"
    assert log_in(door).status_code == 429, "also with the right one"
    assert log_in(door, "maker", "x").status_code == 401, "others may"


def test_processes_count_together_in_redis(sqlite_url: str, redis_url: str, tmp_path: Path) -> None:
    known = {"redis_url": SecretStr(redis_url)}
    with open_door(sqlite_url, tmp_path, **known) as one:
        users.create(one.pool, ROOT, "zoe", password=PASSWORD)
        for _ in range(10):
            assert log_in(one, "zoe", "wrong").status_code == 401
        app = one.client.app
    with open_door(sqlite_url, tmp_path, **known) as other:
        assert other.client.app is not app
        refused = log_in(other)
    assert code(refused) == (429, "rate.limited")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "zoe"},
        {"name": "zoe", "password": PASSWORD, "more": 1},
        {"name": 7, "password": PASSWORD},
        {"name": "zoe", "password": "x" * 1_001},
        [],
    ],
)
def test_a_body_that_is_not_as_described_is_refused_without_repeating_it(
    body: object, lasting_door: Door
) -> None:
    answer = lasting_door.client.post(ME, json=body)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
