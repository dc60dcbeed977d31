"""Logging in and out, and who one is."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from maskpool.errors import NotFound
from producer.accounts import local_link, sessions, teams, users
from producer.accounts.caller import Caller
from producer.accounts.rights import Right, Role
from producer.pool import Pool
from web import session
from web.access import Pooled, needs, public
from web.authentication import Who, require_own_page
from web.limits import Limited, Limits, network_of
from web.problems import Problem
from web.router import Router
from web.shapes import Asked, Shown
from web.studio.missing import wants_page

router = Router(tags=["session"])

#: Log-ins in a window of five minutes: of one name, and from one address, where many may sit.
_MOST_OF_NAME, _MOST_OF_ADDRESS, _WINDOW_SECONDS = 10, 60, 300

Secret = Annotated[str, Field(max_length=1_000, description="A password.")]


class LogIn(Asked):
    """Who logs in."""

    name: str = Field(max_length=200, examples=["ann"])
    password: Secret = Field(examples=["correct horse battery"])


class NewPassword(Asked):
    """Another password for oneself."""

    old: Secret = Field(examples=["correct horse battery"])
    new: Secret = Field(examples=["staple correct horse"])


class MyTeam(Shown):
    """A team that one is in."""

    id: UUID = Field(examples=["01a1fcdc-b907-771a-84fd-d7ac484311e2"])
    name: str = Field(examples=["street scenes"])
    role: Role = Field(examples=[Role.ANNOTATOR])


class Me(Shown):
    """Whoever asks."""

    name: str = Field(examples=["ann"])
    admin: bool = Field(description="Of the whole pool.", examples=[False])
    teams: list[MyTeam]
    rights: list[Right] = Field(
        description="What reaches anything for them.", examples=[[Right.READ, Right.ACCOUNT]]
    )
    by: Literal["cookie", "token"] = Field(examples=["cookie"])


@router.post("/api/v1/session", dependencies=[public()])
def log_in(
    *,
    request: Request,
    response: Response,
    place: session.Placed,
    pool: Pooled,
    asked: LogIn,
    who: Who,
    limits: Limited,
) -> Me:
    """Log in by name and password: sets the cookie of a session."""
    require_own_page(request, place, or_none=True)
    address = session.address_of(request)
    _limit(limits, "login.address", network_of(address), _MOST_OF_ADDRESS)
    _limit(limits, "login.name", asked.name, _MOST_OF_NAME)
    agent = session.agent_of(request)
    secret = sessions.log_in(pool, asked.name, asked.password, agent=agent, address=address)
    caller = None if secret is None else who.by_session(secret)
    if secret is None or caller is None:
        raise Problem(401, "auth.wrong", "name or password is wrong")
    session.put(response, place, secret)
    return _me(pool, caller)


@router.get("/api/v1/session")
def me(pool: Pooled, caller: Annotated[Caller, needs(Right.ACCOUNT)]) -> Me:
    """Say who one is, in which teams, and what one may do."""
    return _me(pool, caller)


@router.delete("/api/v1/session", status_code=204)
def log_out(
    place: session.Placed,
    response: Response,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.ACCOUNT)],
    who: Who,
) -> None:
    """Log out: the session ends, and the cookie goes."""
    if caller.session_id is None:
        raise Problem(409, "session.none", "you came by a token; revoke it instead")
    sessions.end(pool, caller, caller.session_id)
    who.forget()
    session.take_away(response, place)


@router.put("/api/v1/session/password", status_code=204)
def change_password(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.ACCOUNT)],
    asked: NewPassword,
    who: Who,
    limits: Limited,
) -> None:
    """Change one's password; one's other sessions end."""
    _limit(limits, "login.name", caller.name, _MOST_OF_NAME)
    users.change_password(pool, caller, asked.old, asked.new)
    who.forget()


@router.get(local_link.PATH, dependencies=[public()], include_in_schema=False)
def log_in_by_link(
    request: Request, pool: Pooled, place: session.Placed, token: str, limits: Limited
) -> RedirectResponse:
    """Exchange the token of the link that ``maskpool up`` prints for a cookie, once."""
    address = session.address_of(request)
    _limit(limits, "login.address", network_of(address), _MOST_OF_ADDRESS)
    agent = session.agent_of(request)
    try:
        secret = local_link.exchange(pool, token, agent=agent, address=address)
    except NotFound:
        if not wants_page(request):
            raise
        return RedirectResponse(f"{place.prefix}/login?why=link", status_code=303)
    answer = RedirectResponse(f"{place.prefix}/", status_code=303)
    # The token is worth nothing any more, and still nobody's business.
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    session.put(answer, place, secret)
    return answer


def _limit(limits: Limits, what: str, whose: str, most: int) -> None:
    limits.require(what, whose, most=most, seconds=_WINDOW_SECONDS)


def _me(pool: Pool, caller: Caller) -> Me:
    named = {one.id: one.name for one in teams.listing(pool, frozenset(caller.teams))}
    return Me(
        name=caller.name,
        admin=caller.admin,
        teams=[
            MyTeam(id=team, name=named[team], role=role)
            for team, role in sorted(caller.teams.items())
            if team in named
        ],
        rights=[right for right in Right if caller.has(right)],
        by="token" if caller.session_id is None else "cookie",
    )
