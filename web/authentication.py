"""How a request becomes a caller: by the cookie of a session, or by a token in its header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Depends, Request

from producer.accounts.authenticate import Authenticator, Secret
from producer.accounts.caller import Caller
from web import session
from web.place import Place
from web.problems import Problem

#: Methods that change nothing, and that any page may therefore make a browser send.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Authentication:
    """Finds the caller of a request.

    Args:
        place: Under which address browsers know this server.
        who: Knows cookies and tokens.
    """

    def __init__(self, place: Place, who: Authenticator) -> None:
        self._place = place
        self._who = who

    def __call__(self, request: Request) -> Caller | None:
        """The caller; None where nobody is known. A token counts before a cookie.

        Raises:
            Problem: 403 where another site's page may have made the browser send this.
        """
        kind, secret = self._said(request)
        if not secret:
            return None
        return self._who.by_token(secret) if kind == "token" else self._who.by_session(secret)

    def remembered(self, request: Request) -> Caller | None:
        """The caller, where the rows were asked lately: it takes no thread.

        Raises:
            Problem: As above.
        """
        kind, secret = self._said(request)
        return self._who.remembered(kind, secret)

    def again(self, requests: Sequence[Request]) -> list[Caller | None]:
        """Who sent each of these, by the rows as they are now, which are asked once for all.

        Raises:
            Unreachable: The database is away.
        """
        said = [Secret(*self._said(request)) for request in requests]
        known = self._who.again(set(said))
        return [known.get(one) for one in said]

    def _said(self, request: Request) -> tuple[Literal["session", "token"], str]:
        header = request.headers.get("authorization")
        if header is not None:
            scheme, _, text = header.partition(" ")
            return "token", text.strip() if scheme.lower() == "bearer" else ""
        secret = session.secret_of(request, self._place)
        # Browsers add a cookie by themselves, whoever's page asks; nobody adds a token.
        if secret and request.method not in _SAFE:
            require_own_page(request, self._place, or_none=False)
        return "session", secret


def require_own_page(request: Request, place: Place, *, or_none: bool) -> None:
    """Refuse what a page of another site made a browser send.

    Args:
        request: Any.
        place: Under which address browsers know this server.
        or_none: Whether a request that says nothing of its page passes, as scripts send it.

    Raises:
        Problem: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None and or_none:
        return
    # Browsers of before 2023 say only the origin.
    same = place.is_origin(origin or "") if site is None else site == "same-origin"
    if not same:
        raise Problem(
            403,
            "auth.origin",
            "this came from another site's page, or from none; use this server's own page, or send "
            "a token as Authorization: Bearer",
        )


async def _authenticator(request: Request) -> Authenticator:
    found: Authenticator = request.app.state.authenticator
    return found


#: What knows cookies and tokens; a route that changes rights lets it forget.
Who = Annotated[Authenticator, Depends(_authenticator)]
