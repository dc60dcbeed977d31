"""``maskpool user …``: who may come in. For whoever has the database's password."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from maskpool.errors import SpecError, Unreachable
from maskpool.settings_web import browser_url
from maskpool.text import counted
from producer.cli import options, render
from producer.cli.tables import Column
from producer.cli.verbs import Reads, Works

app = typer.Typer(help="Users: made, given passwords, kept out.", no_args_is_help=True)

_COLUMNS = (Column("user", least=12), Column("admin"), Column("state"))

Name = Annotated[str, typer.Argument(help="Name of the user.", show_default=False)]
PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from standard input; else one is generated."
    ),
]


@app.command(cls=Works)
def create(
    name: Name,
    admin: Annotated[bool, typer.Option("--admin", help="Of the whole pool.")] = False,
    password_stdin: PasswordStdin = False,
) -> None:
    """Make a user, and print the password that was generated."""
    from producer.accounts import users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    given = _given(password_stdin)
    with open_pool() as pool:
        actor = Actor.at_shell(pool.settings)
        password = users.create(pool, actor, name, password=given, admin=admin)
    _print_password(given, password, f"made {name}")


@app.command("ls", cls=Reads)
def list_users(wide: options.Wide = False, as_json: options.AsJson = False) -> None:
    """List all users, by name."""
    from producer.accounts import users
    from producer.pool import open_pool

    with open_pool() as pool:
        found = users.listing(pool)
    if as_json:
        render.print_json(
            [
                {
                    "id": one.id,
                    "name": one.name,
                    "admin": one.admin,
                    "active": one.active,
                    "has_password": one.password_hash is not None,
                }
                for one in found
            ]
        )
        return
    rows = [
        (one.name, "yes" if one.admin else "", "active" if one.active else "deactivated")
        for one in found
    ]
    render.print_table("", _COLUMNS, rows, wide=wide)


@app.command(cls=Works)
def reset(name: Name, password_stdin: PasswordStdin = False) -> None:
    """Give a user another password; their sessions end, their tokens stay."""
    from producer.accounts import users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    given = _given(password_stdin)
    with open_pool() as pool:
        password = users.reset(pool, Actor.at_shell(pool.settings), name, password=given)
    _print_password(given, password, f"another password for {name}")


@app.command(cls=Works)
def deactivate(name: Name) -> None:
    """Keep a user out: nothing of theirs counts any more; their batches stay."""
    from producer.accounts import users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        users.deactivate(pool, Actor.at_shell(pool.settings), name)
    render.say(f"{name} is deactivated; what asks now is refused within 5 s")


@app.command(cls=Works)
def activate(name: Name) -> None:
    """Let a user in again."""
    from producer.accounts import users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        users.activate(pool, Actor.at_shell(pool.settings), name)
    render.say(f"{name} is active")


@app.command("hand-over", cls=Works)
def hand_over(
    name: Name,
    to: Annotated[str, typer.Argument(help="Who takes them over.", show_default=False)],
) -> None:
    """Give all batches and uploads of a user to somebody else."""
    from producer.accounts import users
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        count = users.hand_over(pool, Actor.at_shell(pool.settings), name, to)
    render.say(counted(count, f"batch of {name} is {to}'s", f"batches of {name} are {to}'s"))


@app.command(cls=Works)
def link() -> None:
    """Print a new link by which the owner of the stack that runs here logs in, once."""
    from producer.cli.serve import print_link
    from producer.local.endpoints import running, settings_here

    settings = settings_here()
    stack = running(settings.home)
    if stack is None or not stack.serve_address:
        raise Unreachable(
            "the web server",
            f"no stack with one runs in {settings.home}; start maskpool up, or log in by password",
        )
    here = settings.model_copy(update={"serve_address": stack.serve_address})
    print_link(here, browser_url(here))


def _given(password_stdin: bool) -> str | None:
    """The password on standard input, which, unlike an argument, no other user can see."""
    if not password_stdin:
        return None
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise SpecError("--password-stdin", "there is no line on standard input")
    return line


def _print_password(given: str | None, password: str, words: str) -> None:
    render.say(words if given is not None else f"{words}; the password is shown this once:")
    if given is None:
        render.console.print(password, soft_wrap=True)
