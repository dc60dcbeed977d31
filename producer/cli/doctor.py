"""``doctor``: what is not well and what to do about it; ``--deep``: are the results right?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from maskpool import exits
from maskpool.errors import NotFound
from maskpool.settings import load_settings
from maskpool.text import counted
from producer.cli import options, render
from producer.cli.tables import Column, sentence

if TYPE_CHECKING:  # imported only when the verb runs
    from producer.doctor import Check
    from producer.integrity.findings import Finding, Tally

#: Findings that are shown at most; a store that was emptied has as many as there are chunks.
_MAX_SHOWN = 1_000

_MARKS = {True: Text("ok", "green"), False: Text("no", "red"), None: Text("–", "dim")}


_CHECKS = (Column(""), Column("part"), sentence("found"), sentence("what to do"))
_FINDINGS = (
    Column("kind", least=10),
    Column("batch", drop=1),
    Column("what", least=10),
    sentence("found"),
)


def doctor(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[IMAGE|BATCH]",
            help="With --model: segment this image. With --deep: check only this batch.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Load this model and try it.")
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="What to look for in IMAGE.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The overlay.")] = Path("doctor.jpg"),
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read every row and mask, and check them against each other."),
    ] = False,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> int:
    """Check Python, torch, Redis, database, store and models; or one model; or all the results."""
    if deep and model is not None:
        raise typer.BadParameter("say either --deep or --model", param_hint="--deep")
    if deep:
        return _check_deeply(what, wide=wide, as_json=as_json)
    if model is not None:
        image = None if what is None else Path(what)
        return _try_model(model, image, prompt or [], out, as_json=as_json)
    if what is not None:
        raise NotFound(
            "a model is needed to try an image, say --model NAME as well; "
            "a batch is checked with --deep"
        )
    from producer.doctor import run_checks, settings_to_check

    checks = list(run_checks(settings_to_check()))
    if as_json:
        render.print_json(
            [{"name": c.name, "ok": c.ok, "found": c.found, "advice": c.advice} for c in checks]
        )
    else:
        rows = [(_MARKS[c.ok], c.name, c.found, c.advice) for c in checks]
        render.print_table("", _CHECKS, rows, wide=wide)
    return _exit_code(checks)


#: What a model can do beside texts (``maskpool.abilities.Ability``), as people read it.
_ABILITIES = {
    "stuff": "regions (kind: stuff)",
    "objects": "masks from boxes and points",
}


def _exit_code(checks: Sequence[Check]) -> int:
    """A service that is not well outweighs a setting: it may mend itself while one waits."""
    failed = [check for check in checks if check.ok is False]
    if any(check.service for check in failed):
        return exits.UNREACHABLE
    return exits.BAD_INPUT if failed else exits.OK


def _try_model(
    model: str, image: Path | None, prompts: list[str], out: Path, *, as_json: bool
) -> int:
    from producer.model_trial import try_model

    with render.working(f"loading {model}"):
        trial = try_model(load_settings(), model, image, prompts, out)
    report = trial.report
    if as_json:
        render.print_json({**report, **({"overlay": str(out)} if trial.overlay else {})})
        return exits.OK
    render.console.print(f"{report['description']}, loaded in {report['load_seconds']} s")
    can = [said for word, said in _ABILITIES.items() if word in report["abilities"]]
    render.console.print(f"it finds {', '.join(['instances of texts', *can])}", soft_wrap=True)
    if trial.overlay is not None:
        render.console.print(
            f"{counted(trial.instances, 'instance')} in {report['segment_seconds']} s; "
            f"drawn in {out}",
            soft_wrap=True,
        )
    return exits.OK


def _check_deeply(batch: str | None, *, wide: bool, as_json: bool) -> int:
    from producer.integrity.check import verify
    from producer.integrity.findings import Tally
    from producer.pool import open_pool

    with open_pool() as pool:
        batch_id = None if batch is None else pool.find(batch)
        tally, counts, wrong = Tally(), Counter[str](), 0
        shown: list[Finding] = []
        with render.working("reading rows and masks"):
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
        _print_findings(shown, counts.total(), wrong, tally, wide=wide)
    return exits.SOME_FAILED if wrong else exits.OK


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "wrong": finding.wrong,
        "batch": finding.batch_id and str(finding.batch_id),
        "subject": finding.subject,
        "sentence": finding.sentence,
    }


def _print_findings(
    shown: list[Finding], count: int, wrong: int, tally: Tally, *, wide: bool
) -> None:
    if shown:
        rows = [(one.kind.value, one.batch_id, one.subject, one.sentence) for one in shown]
        render.print_table("", _FINDINGS, rows, wide=wide)
    if count > len(shown):
        render.console.print(f"… and {count - len(shown):,} more")
    summary = counted(wrong, "thing is wrong", "things are wrong") if wrong else "nothing is wrong"
    notes = f", {count - wrong:,} worth knowing" if count > wrong else ""
    render.console.print(
        f"{summary}{notes}: read {counted(tally.batches, 'batch', 'batches')}, "
        f"{counted(tally.jobs, 'job')}, {counted(tally.objects, 'mask object')}, "
        f"{counted(tally.instances, 'instance')}",
        soft_wrap=True,
    )
