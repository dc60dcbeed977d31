"""``doctor``: is everything there, and what to do where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from maskpool.errors import NotFound, Unreachable
from maskpool.settings import Settings, load_settings
from maskpool.spec import read_prompts
from producer.cli import options, render
from producer.cli.gc import deep as check_deeply

_NOT_WELL = 2
_MARKS = {True: Text("ok", "green"), False: Text("no", "red"), None: Text("–", "dim")}

#: What is looked for where nothing is asked: a word that the models know.
_WORDS = {"demo": "shape"}


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
    as_json: options.AsJson = False,
) -> int:
    """Check Python, torch, Redis, database, store and models; or one model; or all the results."""
    if deep and model is not None:
        raise typer.BadParameter("say either --deep or --model", param_hint="--deep")
    if deep:
        return check_deeply(what, as_json=as_json)
    if model is not None:
        image = None if what is None else Path(what)
        return _try_model(model, image, prompt or [], out, as_json=as_json)
    if what is not None:
        raise NotFound(
            "an image is looked at by a model, say --model NAME as well; "
            "a batch is checked with --deep"
        )
    from producer.doctor import run_checks

    checks = list(run_checks(_settings()))
    if as_json:
        render.print_json(
            [{"name": c.name, "ok": c.ok, "found": c.found, "advice": c.advice} for c in checks]
        )
    else:
        rows = [(_MARKS[c.ok], c.name, c.found, c.advice) for c in checks]
        render.print_table("", ("", "part", "found", "what to do"), rows)
    return _NOT_WELL if any(check.ok is False for check in checks) else 0


def _settings() -> Settings:
    from producer.local.endpoints import settings_here

    try:
        return settings_here()
    except Unreachable:
        return load_settings()


def _try_model(
    model: str, image: Path | None, prompts: list[str], out: Path, *, as_json: bool
) -> int:
    from producer.doctor import look_at

    load_settings().alias(model)
    asked = read_prompts(prompts or ([_WORDS.get(model, "object")] if image else []))
    with render.errors.status(f"loading {model}"):
        report = look_at(model, image, [one.text for one in asked])
    if image is not None:
        _draw(image, report, [one.name for one in asked], out)
    if as_json:
        render.print_json(report | ({"overlay": str(out)} if image else {}))
        return 0
    render.console.print(f"{report['description']}, loaded in {report['load_seconds']} s")
    if image is not None:
        found = report["found"]
        count = len(found) if isinstance(found, list) else 0
        render.console.print(
            f"{count} instances in {report['segment_seconds']} s; drawn in {out}", soft_wrap=True
        )
    return 0


def _draw(path: Path, report: dict[str, Any], names: list[str], out: Path) -> None:
    from PIL import Image

    from maskpool.domain import Found, Instance
    from maskpool.rle import Rle
    from producer.report.overlays import draw
    from producer.results.records import LabelledInstance
    from storage.images.decode import decode

    image = Image.fromarray(decode(path.read_bytes(), load_settings()))
    shown = []
    for one in report["found"]:
        mask = Rle(tuple(one["size"]), one["counts"])
        found = Found(one["prompt"], one["score"], tuple(one["box"]), mask)
        shown.append(LabelledInstance(names[one["prompt"]], Instance(found, 0, 0.0)))
    draw(image, shown).save(out, "JPEG", quality=90)
