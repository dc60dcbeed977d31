"""``maskpool glossary …``: the words by which Chinese prompts become English ones."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool.text import counted
from producer.cli import options, render
from producer.cli.tables import Column
from producer.cli.verbs import Reads, Works, Writes

if TYPE_CHECKING:  # imported only when a verb runs
    from maskpool.glossary import Word as Shipped
    from producer.glossary import Entry
    from producer.glossary import Team as FoundTeam
    from producer.pool import Pool

app = typer.Typer(help="Words for prompts in Chinese, and their English.", no_args_is_help=True)

_WORDS = (
    *(Column("word", least=8), Column("kind"), Column("english", least=12)),
    *(Column("by"), Column("at")),
)


class _Kind(StrEnum):
    """As ``maskpool.glossary.Kind``, which takes the whole glossary along; a test compares them."""

    NOUN = "noun"
    COLOUR = "colour"
    MATERIAL = "material"


Word = Annotated[str, typer.Argument(help="In Chinese, e.g. 红绿灯.", show_default=False)]
Kind = Annotated[_Kind, typer.Option(help="What it may be in a phrase.")]
Team = Annotated[
    str | None,
    typer.Option(help="Name or id of a team, whose words these are; else the whole pool's."),
]
File = Annotated[
    Path,
    typer.Argument(help="A CSV file: word,kind,english; - is the terminal.", show_default=False),
]


@app.command(cls=Works)
def add(
    word: Word,
    english: Annotated[str, typer.Argument(help="What is sent for it.", show_default=False)],
    kind: Kind = _Kind.NOUN,
    team: Team = None,
) -> None:
    """Add a word, or give it other English."""
    from maskpool import glossary as words
    from producer import glossary
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    new = words.Word.checked(word, kind, english)
    with open_pool() as pool:
        done = glossary.put(pool, Actor.at_shell(pool.settings), _team(pool, team), [new])
    render.say(f"{new.word} is sent as {new.english} ({_whose(team)}, version {done.version})")


@app.command("ls", cls=Reads)
def list_words(
    team: Team = None,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="The words that come with maskpool instead.")
    ] = False,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """List the words of the pool or of a team, or those that come with maskpool."""
    from maskpool.glossary.words import shipped_words
    from producer import glossary
    from producer.pool import open_pool

    if shipped:
        found = [_row(one) for one in shipped_words()]
    else:
        with open_pool() as pool:
            _, entries = glossary.listing(pool, _team(pool, team))
        found = [_row(one) for one in entries]
    if as_json:
        render.print_json(found)
    else:
        render.print_table("", _WORDS, [tuple(one.values()) for one in found], wide=wide)


@app.command("rm", cls=Works)
def remove(word: Word, kind: Kind = _Kind.NOUN, team: Team = None) -> None:
    """Take a word out; where it came with maskpool, that one counts again."""
    from maskpool import glossary as words
    from producer import glossary
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    with open_pool() as pool:
        actor, of = Actor.at_shell(pool.settings), _team(pool, team)
        done = glossary.remove(pool, actor, of, word, words.Kind(kind))
    render.say(f"{word} is out ({_whose(team)}, version {done.version})")


@app.command("import", cls=Works)
def import_words(source: File, team: Team = None) -> None:
    """Take in the words of a CSV file: all of them, or none."""
    from maskpool.glossary import table
    from producer import glossary
    from producer.accounts.audit import Actor
    from producer.pool import open_pool

    words = table.read(table.decoded(_read(source), str(source)), str(source))
    with open_pool() as pool:
        done = glossary.put(pool, Actor.at_shell(pool.settings), _team(pool, team), words)
    said = counted(len(words), "word is", "words are")
    render.say(f"{said} in ({_whose(team)}, version {done.version})")


@app.command("export", cls=Writes)
def export_words(out: File = Path("-"), team: Team = None) -> None:
    """Write the words of the pool or of a team as a CSV file."""
    from maskpool.files import write_whole
    from maskpool.glossary import table
    from producer import glossary
    from producer.pool import open_pool

    with open_pool() as pool:
        _, entries = glossary.listing(pool, _team(pool, team))
    text = table.write(glossary.words_of(entries))
    if out == Path("-"):
        typer.echo(text, nl=False)
    else:
        # Excel takes a file for UTF-8 only where it begins so.
        write_whole(out, ("\ufeff" + text).encode(), durable=False)
        render.say(f"{out}: {counted(len(entries), 'word')}")


def _team(pool: Pool, reference: str | None) -> FoundTeam | None:
    from producer.accounts import teams

    return None if reference is None else teams.find(pool, reference)


def _whose(team: str | None) -> str:
    return "pool" if team is None else f"team {team}"


def _row(word: Shipped | Entry) -> dict[str, str]:
    """One line; a shipped word has nobody who wrote it."""
    line = {"word": word.word, "kind": str(word.kind), "english": word.english or ""}
    at = getattr(word, "at", 0)
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds") if at else ""
    return {**line, "by": getattr(word, "user_name", ""), "at": when}


def _read(source: Path) -> bytes:
    """The content of a file, or so much of it that it is too long."""
    from maskpool.glossary.table import MAX_BYTES

    if source == Path("-"):
        return typer.get_binary_stream("stdin").read(MAX_BYTES + 1)
    with source.open("rb") as file:
        return file.read(MAX_BYTES + 1)
