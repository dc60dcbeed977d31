"""The cookie of a session: its name, and how it is read, set and taken away."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Response

from producer.accounts.sessions import LONGEST_MS
from web.place import Place

#: Browsers take a cookie of the first name only over TLS, for this host alone and all its paths.
_SECURE_NAME, _PLAIN_NAME = "__Host-maskpool", "maskpool"


def secret_of(request: Request, place: Place) -> str:
    """The secret in a request's cookie; empty where there is none."""
    return request.cookies.get(_name(place), "")


def put(response: Response, place: Place, secret: str) -> None:
    """Let the browser keep a session's secret; no script can read it."""
    response.set_cookie(
        _name(place),
        secret,
        max_age=LONGEST_MS // 1000,
        path="/",
        secure=place.secure,
        httponly=True,
        samesite="lax",
    )


def take_away(response: Response, place: Place) -> None:
    """Let the browser forget it."""
    response.delete_cookie(
        _name(place), path="/", secure=place.secure, httponly=True, samesite="lax"
    )


def agent_of(request: Request) -> str:
    """The browser, as it names itself."""
    return request.headers.get("user-agent", "")


def address_of(request: Request) -> str:
    """The address from which a request came; empty where it came through a socket file."""
    return request.client.host if request.client else ""


def _name(place: Place) -> str:
    return _SECURE_NAME if place.secure else _PLAIN_NAME


async def _place(request: Request) -> Place:
    found: Place = request.app.state.place
    return found


#: Where the server is, as a parameter of a route.
Placed = Annotated[Place, Depends(_place)]
