"""``gc``: free the objects that no row names."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool.errors import SpecError
from maskpool.text import counted
from producer.cli import options, render
from producer.cli.tables import Column, number

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from producer.integrity.orphans import Amount

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNTS = (Column("what", least=12), number("objects"), number("size"))
_UNITS = ("B", "kB", "MB", "GB", "TB")


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    older_than: Annotated[
        str, typer.Option(help="Least age of what is deleted: a number and s, m, h or d.")
    ] = "1h",
    as_json: options.AsJson = False,
) -> None:
    """Delete objects that no row names: of batches that are gone, and of uploads that were lost."""
    from producer.integrity.orphans import collect
    from producer.pool import open_pool

    seconds = _duration(older_than)
    with open_pool() as pool, render.working("listing objects"):
        collected = collect(pool.database, pool.store(), older_than=seconds, dry_run=dry_run)
    if as_json:
        render.print_json({"dry_run": dry_run, **asdict(collected)})
        return
    amounts = {
        "masks that no job names": collected.masks,
        "uploaded images of removed batches": collected.sources,
        "files of uploads that are gone": collected.uploads,
        "data sets that no task keeps": collected.exports,
        "small pictures of what was removed": collected.thumbs,
        "half-written files": collected.leftovers,
    }
    rows = [
        (words, f"{amount.objects:,}", _size(amount.bytes)) for words, amount in amounts.items()
    ]
    render.print_table("", _AMOUNTS, rows)
    render.console.print(_summary(collected.total, collected.looked_at, dry_run=dry_run))


def _summary(total: Amount, looked_at: int, *, dry_run: bool) -> str:
    word = "would free" if dry_run else "freed"
    return f"{word} {_size(total.bytes)}: {total.objects:,} of {counted(looked_at, 'object')}"


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", text.strip())
    if match is None:
        raise SpecError("--older-than", f"{text!r} is no age; write e.g. 90m, 1h or 7d")
    return float(match[1]) * _SECONDS[match[2]]


def _size(count: int) -> str:
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
