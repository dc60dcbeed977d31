"""The cookie of a session: its name, and how it is read, set and taken away."""

from __future__ import annotations

from fastapi import Request, Response

from maskpool.settings import Settings
from producer.accounts.sessions import LONGEST_MS

#: Browsers take a cookie of the first name only over TLS, for this host alone and all its paths.
_SECURE_NAME, _PLAIN_NAME = "__Host-maskpool", "maskpool"


def secret_of(request: Request, settings: Settings) -> str:
    """The secret in a request's cookie; empty where there is none."""
    return request.cookies.get(_name(settings), "")


def put(response: Response, settings: Settings, secret: str) -> None:
    """Let the browser keep a session's secret; no script can read it."""
    response.set_cookie(
        _name(settings),
        secret,
        max_age=LONGEST_MS // 1000,
        path="/",
        secure=_is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def take_away(response: Response, settings: Settings) -> None:
    """Let the browser forget it."""
    response.delete_cookie(
        _name(settings), path="/", secure=_is_secure(settings), httponly=True, samesite="lax"
    )


def agent_of(request: Request) -> str:
    """The browser, as it names itself."""
    return request.headers.get("user-agent", "")


def address_of(request: Request) -> str:
    """The address from which a request came; empty where it came through a socket file."""
    return request.client.host if request.client else ""


def _name(settings: Settings) -> str:
    return _SECURE_NAME if _is_secure(settings) else _PLAIN_NAME


def _is_secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")
