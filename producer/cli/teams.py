"""``maskpool team …`` and ``maskpool grant …``: who works together, and reads from where."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from maskpool.errors import NotFound
from producer.cli import options, render
from producer.cli.tables import Column
from producer.cli.verbs import Reads, Works

app = typer.Typer(help="Teams: people who see each other's batches.", no_args_is_help=True)
grants_app = typer.Typer(help="Places that a team may read images from.", no_args_is_help=True)

_TEAMS = (Column("team", least=12), Column("id"))
_MEMBERS = (Column("user", least=12), Column("role"))
_GRANTS = (Column("kind"), Column("place", least=16), Column("id"))


class _Role(StrEnum):
    """What one can be in a team."""

    VIEWER = "viewer"
    ANNOTATOR = "annotator"
    OWNER = "owner"


class _Kind(StrEnum):
    """What is granted."""

    BUCKET = "bucket"
    HOST = "host"


Team = Annotated[str, typer.Argument(help="Name or id of the team.", show_default=False)]
User = Annotated[str, typer.Argument(help="Name of the user.", show_default=False)]


@app.command(cls=Works)
def create(name: Team) -> None:
    """Make a team."""
    from producer.accounts import teams
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        team_id = teams.create(pool, Actor.at_shell(pool.settings), name)
    render.console.print(f"{team_id}  made")


@app.command("ls", cls=Reads)
def list_teams(
    team: Annotated[
        str | None, typer.Argument(help="Name or id: list its members instead.")
    ] = None,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """List all teams, or who is in one."""
    from producer.accounts import teams
    from producer.pool import open_pool

    with open_pool() as pool:
        if team is None:
            columns = _TEAMS
            found = [{"name": one.name, "id": str(one.id)} for one in teams.listing(pool)]
        else:
            columns = _MEMBERS
            team_id = teams.find(pool, team).id
            found = [{"name": one.name, "role": one.role} for one in teams.members(pool, team_id)]
    if as_json:
        render.print_json(found)
    else:
        rows = [tuple(one.values()) for one in found]
        render.print_table("", columns, rows, wide=wide)


@app.command(cls=Works)
def add(
    team: Team,
    user: User,
    role: Annotated[_Role, typer.Option(help="What they are in it.")] = _Role.ANNOTATOR,
) -> None:
    """Take somebody into a team, or give them another role there."""
    from producer.accounts import teams
    from producer.accounts.audit import Actor
    from producer.accounts.rights import Role
    from producer.pool import open_pool

    with open_pool() as pool:
        found = teams.find(pool, team)
        teams.put_member(pool, Actor.at_shell(pool.settings), found, user, Role(role))
    render.say(f"{user} is {role} in {found.name}")


@app.command(cls=Works)
def remove(team: Team, user: User) -> None:
    """Take somebody out of a team; their batches stay with it."""
    from producer.accounts import teams
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        found = teams.find(pool, team)
        teams.remove_member(pool, Actor.at_shell(pool.settings), found, user)
    render.say(f"{user} is no longer in {found.name}")


@grants_app.command("add", cls=Works)
def add_grant(
    team: Team,
    kind: Annotated[_Kind, typer.Argument(help="What it is.", show_default=False)],
    place: Annotated[
        str,
        typer.Argument(
            help="bucket or bucket/prefix; a host's name, or *.name for all below it.",
            show_default=False,
        ),
    ],
) -> None:
    """Let a team read images from a place."""
    from producer.accounts import grants, teams
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        actor = Actor.at_shell(pool.settings)
        made = grants.grant(pool, actor, teams.find(pool, team), kind, place)
    render.console.print(f"{made.id}  {made.kind} {made.place}", soft_wrap=True)


@grants_app.command("ls", cls=Reads)
def list_grants(team: Team, wide: options.Wide = False, as_json: options.AsJson = False) -> None:
    """List the places that a team may read images from."""
    from producer.accounts import grants, teams
    from producer.pool import open_pool

    with open_pool() as pool:
        found = grants.listing(pool, teams.find(pool, team).id)
    if as_json:
        render.print_json(
            [
                {
                    "id": str(one.id),
                    "kind": one.kind,
                    "place": one.place,
                    "created_at": datetime.fromtimestamp(one.created_at / 1000, UTC).isoformat(),
                }
                for one in found
            ]
        )
    else:
        rows = [(one.kind, one.place, str(one.id)) for one in found]
        render.print_table("", _GRANTS, rows, wide=wide)


@grants_app.command("rm", cls=Works)
def remove_grant(
    team: Team,
    grant: Annotated[str, typer.Argument(help="Id of the grant.", show_default=False)],
) -> None:
    """Let a team no longer read from a place; what was submitted goes on."""
    from producer.accounts import grants, teams
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        found = teams.find(pool, team)
        grants.take_back(pool, Actor.at_shell(pool.settings), found, _id(grant))
    render.say(f"{found.name} reads from there no more")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"{text!r} is no id; maskpool grant ls shows them") from None
