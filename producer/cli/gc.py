"""Looking after what is stored: ``doctor --deep`` checks it, ``gc`` frees what no row names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool import exits
from maskpool.errors import SpecError
from producer.cli import options, render

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from producer.integrity.findings import Finding, Tally
    from producer.integrity.orphans import Amount

#: Findings that are shown at most; a store that was emptied has as many as there are chunks.
_MAX_SHOWN = 1_000

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def deep(batch: str | None, *, as_json: bool) -> int:
    """Check one batch, or everything; returns the exit code."""
    from producer.integrity.check import verify
    from producer.integrity.findings import Tally
    from producer.pool import open_pool

    with open_pool() as pool:
        batch_id = None if batch is None else pool.find(batch)
        tally, counts, wrong = Tally(), Counter[str](), 0
        shown: list[Finding] = []
        with render.errors.status("reading rows and masks"):
            for finding in verify(pool.database, pool.store(), batch_id, tally):
                counts[finding.kind.value] += 1
                wrong += finding.wrong
                if len(shown) < _MAX_SHOWN:
                    shown.append(finding)
    if as_json:
        render.print_json(
            {
                "ok": wrong == 0,
                "read": asdict(tally),
                "counts": dict(counts),
                "findings": [_finding_json(one) for one in shown],
            }
        )
    else:
        _print_findings(shown, counts.total(), wrong, tally)
    return exits.SOME_FAILED if wrong else exits.OK


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "wrong": finding.wrong,
        "batch": finding.batch_id and str(finding.batch_id),
        "subject": finding.subject,
        "sentence": finding.sentence,
    }


def _print_findings(shown: list[Finding], count: int, wrong: int, tally: Tally) -> None:
    if shown:
        rows = [(one.kind.value, one.batch_id, one.subject, one.sentence) for one in shown]
        render.print_table("", ("kind", "batch", "what", "found"), rows)
    if count > len(shown):
        render.console.print(f"… and {count - len(shown):,} more")
    summary = f"{wrong:,} things are wrong" if wrong else "nothing is wrong"
    notes = f", {count - wrong:,} worth knowing" if count > wrong else ""
    render.console.print(
        f"{summary}{notes}: read {tally.batches:,} batches, {tally.jobs:,} jobs, "
        f"{tally.objects:,} mask objects, {tally.instances:,} instances",
        soft_wrap=True,
    )


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
    with open_pool() as pool, render.errors.status("listing objects"):
        collected = collect(pool.database, pool.store(), older_than=seconds, dry_run=dry_run)
    if as_json:
        render.print_json({"dry_run": dry_run, **asdict(collected)})
        return
    amounts = {
        "masks that no job names": collected.masks,
        "uploaded images of removed batches": collected.sources,
        "half-written files": collected.leftovers,
    }
    rows = [
        (words, f"{amount.objects:,}", _size(amount.bytes)) for words, amount in amounts.items()
    ]
    render.print_table("", ("what", "#objects", "#size"), rows)
    render.console.print(_summary(collected.total, collected.looked_at, dry_run=dry_run))


def _summary(total: Amount, looked_at: int, *, dry_run: bool) -> str:
    word = "would free" if dry_run else "freed"
    return f"{word} {_size(total.bytes)}: {total.objects:,} of {looked_at:,} objects"


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
