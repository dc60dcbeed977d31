"""``maskpool token …``: how scripts come in through the door."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool.errors import NotFound, SpecError
from producer.cli import options, render
from producer.cli.tables import Column
from producer.cli.verbs import Reads, Works

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from producer.accounts.rights import Right
    from producer.accounts.tokens import Token

app = typer.Typer(help="Tokens, by which scripts come in.", no_args_is_help=True)

_COLUMNS = (
    Column("token"),
    Column("name", least=12),
    Column("rights", least=12),
    Column("ends"),
    Column("used", drop=1),
)

User = Annotated[
    str | None,
    typer.Option("--user", "-u", help="Whose; default MASKPOOL_OWNER, else yours."),
]


@app.command(cls=Works)
def create(
    name: Annotated[str, typer.Argument(help="For people.", show_default=False)],
    right: Annotated[
        list[str] | None,
        typer.Option(help="What it may do, e.g. read. Repeat for more.", show_default=False),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="After which it ends.")] = 90,
    endless: Annotated[bool, typer.Option("--endless", help="It never ends.")] = False,
    user: User = None,
) -> None:
    """Make a token for a user, and print it this once."""
    from producer.accounts import tokens, users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    rights = _rights(right or [])
    with open_pool() as pool:
        owner = users.find(pool, user or pool.settings.owner_name)
        made = tokens.issue(
            pool,
            Actor.at_shell(pool.settings),
            owner.id,
            name,
            rights=rights,
            days=None if endless else days,
        )
    render.say(f"a token of {owner.name}; it is shown this once:")
    render.console.print(made.text, soft_wrap=True)


@app.command("ls", cls=Reads)
def list_tokens(
    user: User = None, wide: options.Wide = False, as_json: options.AsJson = False
) -> None:
    """List a user's tokens, the latest first."""
    from producer.accounts import tokens, users
    from producer.pool import open_pool

    with open_pool() as pool:
        owner = users.find(pool, user or pool.settings.owner_name)
        found = tokens.listing(pool, owner.id)
    if as_json:
        render.print_json([_json(one) for one in found])
        return
    rows = [
        (
            one.prefix,
            one.name,
            one.scopes,
            "revoked" if one.revoked_at else _day(one.expires_at) or "never",
            _day(one.used_at) or "never",
        )
        for one in found
    ]
    render.print_table("", _COLUMNS, rows, wide=wide)


@app.command(cls=Works)
def revoke(
    token: Annotated[
        str,
        typer.Argument(help="Its first characters, as mp_1f0c9a77, or its id.", show_default=False),
    ],
    user: User = None,
) -> None:
    """End a token for ever."""
    from producer.accounts import tokens, users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        owner = users.find(pool, user or pool.settings.owner_name)
        meant = [
            one for one in tokens.listing(pool, owner.id) if token in (one.prefix, str(one.id))
        ]
        if len(meant) != 1:
            raise NotFound(f"{owner.name} has no such token; maskpool token ls shows them")
        tokens.revoke(pool, Actor.at_shell(pool.settings), owner.id, meant[0].id)
    render.say(f"{meant[0].prefix} is revoked; what uses it is refused within 5 s")


def _rights(words: list[str]) -> list[Right]:
    from producer.accounts.rights import Right

    known = ", ".join(Right)
    if not words:
        raise SpecError("--right", f"say what it may do, with one or more of {known}")
    unknown = next((word for word in words if word not in frozenset(Right)), None)
    if unknown is not None:
        raise SpecError("--right", f"{unknown!r} is no right; write one or more of {known}")
    return [Right(word) for word in words]


def _json(token: Token) -> dict[str, object]:
    return {
        "id": str(token.id),
        "prefix": token.prefix,
        "name": token.name,
        "rights": token.scopes.split(),
        "created_at": _iso(token.created_at),
        "expires_at": _iso(token.expires_at),
        "used_at": _iso(token.used_at),
        "revoked_at": _iso(token.revoked_at),
    }


def _iso(milliseconds: int | None) -> str | None:
    moment = None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    return None if moment is None else moment.isoformat(timespec="seconds")


def _day(milliseconds: int | None) -> str:
    return (_iso(milliseconds) or "")[:10]
