"""What the matrix must be told of the routes: the right of each, and how its thing is made.

A new route is one line in ``ROUTES``. Where its path has parameters that no other has, it is also a
function in ``THINGS``; where the example of its body would not do, a line in ``BODIES``.
"""

from __future__ import annotations

from collections.abc import Callable

from db import accounts
from producer.accounts import grants, sessions, tokens
from producer.accounts.audit import Actor
from producer.accounts.rights import Right, Role
from producer.accounts.teams import find
from services.door import Door, Thing

#: None: open to everybody.
ROUTES: dict[str, Right | None] = {
    "GET /healthz": None,
    "GET /readyz": None,
    "POST /api/v1/session": None,
    "GET /login/local": None,
    "GET /api/v1/session": Right.ACCOUNT,
    "DELETE /api/v1/session": Right.ACCOUNT,
    "PUT /api/v1/session/password": Right.ACCOUNT,
    "GET /api/v1/sessions": Right.ACCOUNT,
    "DELETE /api/v1/sessions/{session_id}": Right.ACCOUNT,
    "GET /api/v1/tokens": Right.ACCOUNT,
    "POST /api/v1/tokens": Right.ACCOUNT,
    "DELETE /api/v1/tokens/{token_id}": Right.ACCOUNT,
    "GET /api/v1/users": Right.USERS,
    "POST /api/v1/users": Right.USERS,
    "POST /api/v1/users/{user_id}/reset": Right.USERS,
    "POST /api/v1/users/{user_id}/deactivate": Right.USERS,
    "POST /api/v1/users/{user_id}/activate": Right.USERS,
    "POST /api/v1/users/{user_id}/hand-over": Right.USERS,
    "GET /api/v1/teams": Right.TEAM,
    "POST /api/v1/teams": Right.USERS,
    "GET /api/v1/teams/{team_id}/members": Right.TEAM,
    "PUT /api/v1/teams/{team_id}/members/{user_name}": Right.TEAM,
    "DELETE /api/v1/teams/{team_id}/members/{user_name}": Right.TEAM,
    "GET /api/v1/teams/{team_id}/grants": Right.TEAM,
    "POST /api/v1/teams/{team_id}/grants": Right.USERS,
    "DELETE /api/v1/teams/{team_id}/grants/{grant_id}": Right.USERS,
    "GET /api/v1/audit": Right.USERS,
}

_ACTOR = Actor(None, "test")


def a_session(door: Door) -> Thing:
    maker = door.users["maker"]
    with door.pool.database.write() as session:
        sessions.begin(session, accounts.by_id(session, maker), agent="other", address="")
        [latest, *_] = sessions.rows.listing(session, maker)
    return Thing({"session_id": latest.id}, owner_id=maker, private=True)


def a_token(door: Door) -> Thing:
    maker = door.users["maker"]
    made = tokens.issue(door.pool, _ACTOR, maker, "thing", rights=[Right.READ], days=1)
    return Thing({"token_id": made.token.id}, owner_id=maker, private=True)


def a_user(door: Door) -> Thing:
    return Thing({"user_id": door.user(door.new_name())}, private=True)


def a_team(door: Door) -> Thing:
    return Thing({"team_id": door.team}, team_id=door.team)


def a_member(door: Door) -> Thing:
    name = door.new_name()
    door.user(name, {door.team: Role.VIEWER})
    return Thing({"team_id": door.team, "user_name": name}, team_id=door.team)


def a_grant(door: Door) -> Thing:
    team = find(door.pool, "cats")
    made = grants.grant(door.pool, _ACTOR, team, "bucket", f"bucket-{door.new_name()}")
    return Thing({"team_id": door.team, "grant_id": made.id}, team_id=door.team)


#: By the parameters of a path, in their order. Each makes a new thing of the maker's and of the
#: first team, as far as it is anybody's.
THINGS: dict[tuple[str, ...], Callable[[Door], Thing]] = {
    ("session_id",): a_session,
    ("token_id",): a_token,
    ("user_id",): a_user,
    ("team_id",): a_team,
    ("team_id", "user_name"): a_member,
    ("team_id", "grant_id"): a_grant,
}

#: Instead of the example in the API's description.
BODIES: dict[str, object] = {
    # Whoever has not a right cannot give it to a token.
    "POST /api/v1/tokens": {"name": "nightly", "rights": ["read"]},
}

#: Statuses of those who may, beside all below 400 and 409.
ALLOWED: dict[str, set[int]] = {
    # Nobody in the matrix has a password.
    "PUT /api/v1/session/password": {422},
}

#: Routes that a token may not call, whatever its rights.
NOT_BY_TOKEN = {"POST /api/v1/tokens"}

#: Answers without an end: only their refusals are looked at.
STREAMS: set[str] = set()
