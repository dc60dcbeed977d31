"""The web application in process, with people of every kind at its door.

For the matrix of routes and callers: what a route needs, whom the table of rights lets pass, and
what is asked, which is taken from the examples that the API's own description holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi.routing import APIRoute
from pydantic import SecretStr
from sqlalchemy import update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from db import accounts, teams
from db.models import SessionRow, TokenRow
from maskpool.settings import Settings
from producer.accounts import sessions, tokens
from producer.accounts.audit import Actor
from producer.accounts.rights import TABLE, Reach, Right, Role
from producer.pool import Pool
from web.app import create_app

#: Nobody listens there.
NO_BROKER = "redis://127.0.0.1:1/0"

#: Of the application, and of its own pages.
BASE = "http://127.0.0.1:8080"
OWN_PAGE = {"sec-fetch-site": "same-origin"}

#: Role in the team that a thing belongs to, for those who are in it.
MEMBERS = {
    "maker": Role.ANNOTATOR,
    "colleague": Role.ANNOTATOR,
    "viewer": Role.VIEWER,
    "owner": Role.OWNER,
}

#: Who comes by the cookie of a browser.
BROWSERS = (*MEMBERS, "other team's owner", "of no team", "admin")

#: Who is nobody, and why.
UNKNOWN = (
    "nobody",
    "wrong token",
    "expired token",
    "revoked token",
    "deactivated user",
    "deactivated user's token",
    "expired session",
)

#: A token of the maker with the one right that is needed, and one of the admin with all others.
TOKENS = ("fitting token", "narrower token")

WHO = (*UNKNOWN, *BROWSERS, *TOKENS)


@dataclass(frozen=True)
class Thing:
    """What a path names.

    Attributes:
        path: Values of the path's parameters.
        owner_id: Whose it is; None where it is nobody's.
        team_id: Of which team; None where it is of none.
        private: Seen by its owner alone, whatever the table says of batches.
    """

    path: Mapping[str, object]
    owner_id: int | None = None
    team_id: UUID | None = None
    private: bool = False


@dataclass
class Door:
    """An application over one pool, and the people."""

    client: TestClient
    pool: Pool
    users: dict[str, int] = field(default_factory=dict)
    team: UUID = field(init=False)
    other_team: UUID = field(init=False)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        with self.pool.database.write() as session:
            self.team, self.other_team = (_team(session, name) for name in ("cats", "dogs"))
            for name, role in {**MEMBERS, "deactivated": Role.OWNER}.items():
                self._user(session, name, {self.team: role})
            self._user(session, "other team's owner", {self.other_team: Role.OWNER})
            self._user(session, "of no team")
            self._user(session, "ann")
            accounts.set_admin(session, self._user(session, "admin"), admin=True)

    def user(self, name: str, roles: Mapping[UUID, Role] | None = None) -> int:
        """Make a user without a password."""
        with self.pool.database.write() as session:
            return self._user(session, name, roles)

    def _user(self, session: Session, name: str, roles: Mapping[UUID, Role] | None = None) -> int:
        accounts.insert(session, name)
        user = accounts.by_name(session, name)
        assert user is not None
        for team_id, role in (roles or {}).items():
            teams.put_member(session, team_id, user.id, role)
        self.users[name] = user.id
        return user.id

    def new_name(self) -> str:
        """A name that nobody has."""
        return f"n{next(self._count)}"

    def cookie(self, name: str) -> dict[str, str]:
        """Headers of a browser in which a user has just logged in, on a page of ours."""
        with self.pool.database.write() as session:
            user = accounts.by_id(session, self.users[name])
            secret = sessions.begin(session, user, agent="test", address="")
        return {"cookie": f"maskpool={secret}", **OWN_PAGE}

    def token(self, name: str, *rights: Right) -> dict[str, str]:
        """Headers of a script with a new token of a user."""
        made = tokens.issue(
            self.pool, Actor(None, "test"), self.users[name], "test", rights=rights, days=1
        )
        return {"authorization": f"Bearer {made.text}"}

    def headers(self, who: str, right: Right) -> dict[str, str]:
        """How one of ``WHO`` asks for something that needs a right."""
        if who in BROWSERS:
            return self.cookie(who)
        others = [one for one in Right if one != right]
        made: dict[str, Callable[[], dict[str, str]]] = {
            "nobody": dict,
            "wrong token": lambda: {"authorization": "Bearer mp_00000000_wrong"},
            "expired token": lambda: self._changed_token(right, expires_at=1),
            "revoked token": lambda: self._changed_token(right, revoked_at=1),
            "deactivated user": lambda: self._deactivated(self.cookie("deactivated")),
            "deactivated user's token": lambda: self._deactivated(
                self.token("deactivated", *Right)
            ),
            "expired session": self._expired_session,
            "fitting token": lambda: self.token("maker", right),
            "narrower token": lambda: self.token("admin", *others),
        }
        return made[who]()

    def _changed_token(self, right: Right, **values: int) -> dict[str, str]:
        headers = self.token("maker", right)
        with self.pool.database.write() as session:
            [latest, *_] = tokens.rows.listing(session, self.users["maker"])
            session.execute(update(TokenRow).where(TokenRow.id == latest.id).values(**values))
        return headers

    def _deactivated(self, headers: dict[str, str]) -> dict[str, str]:
        with self.pool.database.write() as session:
            accounts.deactivate(session, self.users["deactivated"])
        return headers

    def _expired_session(self) -> dict[str, str]:
        headers = self.cookie("maker")
        maker = self.users["maker"]
        with self.pool.database.write() as session:
            session.execute(
                update(SessionRow).where(SessionRow.user_id == maker).values(expires_at=1)
            )
        return headers


def _team(session: Session, name: str) -> UUID:
    """Its id; another application over the same database may have made it."""
    teams.create(session, name)
    found = teams.find(session, name)
    assert found is not None
    return found.id


@contextmanager
def open_door(database_url: str, folder: Path, **settings: Any) -> Iterator[Door]:
    """The application over a migrated database, without Redis unless one is named."""
    (folder / "store").mkdir(exist_ok=True)
    known = Settings(
        home=folder,
        database_url=SecretStr(database_url),
        store_url=(folder / "store").as_uri(),
        **{"redis_url": SecretStr(NO_BROKER), "owner": "ann", **settings},
    )
    app = create_app(known)
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        yield Door(client, app.state.pool)


def is_allowed(who: str, right: Right, thing: Thing | None, users: Mapping[str, int]) -> int:
    """What the table says of one caller: 200, or the status of the refusal."""
    if who in UNKNOWN:
        return 401
    if who == "narrower token":
        return 403
    name = "maker" if who == "fitting token" else who
    if not any(_reach(right, role) for role in _roles(name)):
        return 403
    if thing is None or _reaches(name, right, thing, users):
        return 200
    sees = not thing.private and _reaches(name, Right.READ, thing, users)
    return 403 if sees else 404


def _roles(name: str) -> tuple[Role, ...]:
    if name == "admin":
        return (Role.ANNOTATOR, Role.ADMIN)
    others = {"other team's owner": Role.OWNER, "of no team": Role.ANNOTATOR}
    return ({**MEMBERS, **others}[name],)


def _reach(right: Right, role: Role) -> Reach:
    return TABLE[right][list(Role).index(role)]


def _reaches(name: str, right: Right, thing: Thing, users: Mapping[str, int]) -> bool:
    if thing.owner_id == users[name]:
        return True
    if name == "admin":
        return _reach(right, Role.ADMIN) is Reach.ALL
    # Things belong to the first team; only its members have a role there.
    mine = name in MEMBERS and thing.team_id is not None
    return mine and _reach(right, MEMBERS[name]) >= Reach.TEAM


def every_route(router: Any) -> Iterator[Any]:
    """All that an application serves, also what lies in the routers that it includes."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from every_route(inner)


def routes(client: TestClient) -> dict[str, APIRoute]:
    """Every route of ours by method and path."""
    return {
        f"{method} {route.path}": route
        for route in every_route(client.app)
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def example_body(description: Mapping[str, Any], key: str) -> object:
    """The body that the API's own description gives as an example; None where it takes none."""
    method, path = key.split(" ")
    operation = description["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    return _example(content["application/json"]["schema"], description, key)


def _example(schema: Mapping[str, Any], description: Mapping[str, Any], key: str) -> object:
    if "example" in schema:
        return schema["example"]
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _example(description["components"]["schemas"][name], description, key)
    required = schema.get("required", [])
    assert "properties" in schema, f"{key}: the request has a part without an example: {schema}"
    return {
        name: _example(part, description, key)
        for name, part in schema["properties"].items()
        if name in required
    }
