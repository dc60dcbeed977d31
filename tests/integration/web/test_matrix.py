"""Every route × everybody who may come: the status that the table of rights says, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import Response
from services.door import (
    UNKNOWN,
    WHO,
    Door,
    Thing,
    every_route,
    example_body,
    is_allowed,
    routes,
)
from services.door_routes import (
    ALLOWED,
    BODIES,
    NAMED,
    NOT_BY_TOKEN,
    QUERIES,
    ROUTES,
    STREAMS,
    THINGS,
)

from producer.accounts.rights import Right
from web.access import public, right_of

GUARDED = {key: right for key, right in ROUTES.items() if right is not None}

#: What FastAPI adds by itself: the description of the API, which holds nothing of anybody's.
OWN = {"/api/v1/openapi.json", "/api/docs", "/docs/oauth2-redirect"}


@pytest.fixture(scope="module")
def door(lasting_door: Door) -> Door:
    return lasting_door


def parameters(key: str) -> tuple[str, ...]:
    """The parameters of a path, without their converters."""
    return tuple(name.partition(":")[0] for name in re.findall(r"{([^}]+)}", key))


Made = tuple[Thing | None, object]


def made_for(door: Door, key: str) -> Made:
    """What a request of a route works on, and its body."""
    if key in NAMED:
        return NAMED[key](door)
    names = parameters(key)
    assert not names or names in THINGS, f"say in THINGS how what {key} names is made"
    description = door.client.app.openapi()  # type: ignore[attr-defined]  # a FastAPI
    body = BODIES[key] if key in BODIES else example_body(description, key)
    return THINGS[names](door) if names else None, body


@pytest.fixture(scope="module")
def lasting(door: Door) -> Callable[[str], Made]:
    """What a route works on, made once: for those who change nothing of it, as they are refused."""
    return cache(lambda key: made_for(door, key))


def ask(
    door: Door, key: str, thing: Thing | None, body: object, headers: dict[str, str]
) -> Response:
    method, path = key.split(" ")
    for name in parameters(key):
        assert thing is not None
        path = re.sub(rf"{{{name}(:\w+)?}}", str(thing.path[name]), path)
    extra = {"content": body} if isinstance(body, bytes) else {"json": body}
    door.client.cookies.clear()
    sent: Response = door.client.request(
        method,
        path,
        headers=headers,
        params=QUERIES.get(key),
        **(extra if body is not None else {}),
    )
    return sent


def test_every_route_is_in_the_matrix_with_the_right_it_names(door: Door) -> None:
    named = {}
    for key, route in routes(door.client).items():
        says = right_of(route)
        assert says is not None, f"{key} names no right; say needs(Right.…) or public()"
        named[key] = says.right
    assert named == ROUTES, "tell tests/services/door_routes.py of each route"


def test_nothing_else_is_served(door: Door) -> None:
    others = {
        getattr(route, "path", str(route))
        for route in every_route(door.client.app)
        if not isinstance(route, APIRoute)
    }
    assert others <= OWN, "a mount is guarded by nothing: make it a route that names its right"


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("key", GUARDED)
def test_everybody_gets_what_the_table_says(
    key: str, who: str, door: Door, lasting: Callable[[str], Made]
) -> None:
    right = GUARDED[key]
    thing, body = lasting(key)
    expected = is_allowed(who, right, thing, door.users)
    if who == "fitting token" and key in NOT_BY_TOKEN:
        expected = 403
    if expected == 200 and key in STREAMS:
        return
    if expected == 200:
        thing, body = made_for(door, key)
    answer = ask(door, key, thing, body, door.headers(who, right))
    if expected == 200:
        fine = answer.status_code < 400 or answer.status_code in {409, *ALLOWED.get(key, ())}
        assert fine, (answer.status_code, answer.text)
    else:
        assert answer.status_code == expected, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", [key for key in GUARDED if not key.startswith("GET ")])
@pytest.mark.parametrize("page", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}])
def test_a_cookie_alone_changes_nothing(
    key: str, page: dict[str, str], door: Door, lasting: Callable[[str], Made]
) -> None:
    thing, body = lasting(key)
    cookie = {"cookie": door.cookie("admin")["cookie"]}
    answer = ask(door, key, thing, body, {**cookie, **page})
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.origin")


def test_the_matrix_notices_a_route_that_it_was_not_told_of(door: Door) -> None:
    app = door.client.app
    assert isinstance(app, FastAPI)

    @app.get("/api/v1/forgotten")
    def forgotten() -> None: ...

    @app.get("/api/v1/untold", dependencies=[public()])
    def untold() -> None: ...

    try:
        with pytest.raises(AssertionError, match="names no right"):
            test_every_route_is_in_the_matrix_with_the_right_it_names(door)
        app.router.routes[:] = [
            one for one in app.router.routes if getattr(one, "path", "") != "/api/v1/forgotten"
        ]
        with pytest.raises(AssertionError, match="tell tests/services"):
            test_every_route_is_in_the_matrix_with_the_right_it_names(door)
    finally:
        app.router.routes[:] = [
            one for one in app.router.routes if getattr(one, "path", "") != "/api/v1/untold"
        ]


def test_the_matrix_is_no_empty_one() -> None:
    assert set(GUARDED.values()) >= {Right.ACCOUNT, Right.TEAM, Right.USERS}
    assert len(UNKNOWN) < len(WHO)
