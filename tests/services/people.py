"""What the tests of the routes share: an app over a fresh pool, and who asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy import insert

from db.models import MembershipRow, TeamRow, UserRow
from maskpool.domain import new_id
from maskpool.settings import Settings
from producer.accounts.caller import Caller
from producer.accounts.rights import Role
from producer.pool import Pool
from web.app import create_app


@dataclass
class Door:
    """A pool with a door, and people who knock."""

    pool: Pool
    client: TestClient
    people: dict[str, Caller]
    team: UUID

    def as_(self, name: str) -> dict[str, str]:
        """Headers with which somebody asks."""
        return {"X-Test-User": name}


class _Named:
    """Believes whoever says their name."""

    def __init__(self, people: dict[str, Caller]) -> None:
        self._people = people

    def __call__(self, request: Request) -> Caller | None:
        return self.remembered(request)

    def remembered(self, request: Request) -> Caller | None:
        return self._people.get(request.headers.get("X-Test-User", ""))

    def again(self, requests: Sequence[Request]) -> list[Caller | None]:
        return [self.remembered(request) for request in requests]


@contextmanager
def open_door(settings: Settings) -> Iterator[Door]:
    """Ann and Bob are annotators of one team, Vic is its viewer, Eve is of no team."""
    people: dict[str, Caller] = {}

    app = create_app(settings, _Named(people))
    pool: Pool = app.state.pool
    team = new_id()
    roles = {"ann": Role.ANNOTATOR, "bob": Role.ANNOTATOR, "vic": Role.VIEWER, "eve": None}
    with pool.database.write() as session:
        session.execute(insert(TeamRow).values(id=team, name="yard", created_at=0))
        for number, (name, role) in enumerate(roles.items(), 1):
            session.execute(insert(UserRow).values(id=number, name=name))
            teams = {} if role is None else {team: role}
            people[name] = Caller(number, name, teams=teams)
            if role is not None:
                session.execute(
                    insert(MembershipRow).values(user_id=number, team_id=team, role=role)
                )
    client = TestClient(app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False)
    with client:
        yield Door(pool, client, people, team)
