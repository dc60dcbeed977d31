"""``run`` and ``demo``: from images to a dataset in one command, on a private stack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from maskpool import exits
from maskpool.errors import NotFound, SpecError
from maskpool.settings import load_settings
from maskpool.text import counted, readable
from producer.cli import options, render
from producer.cli.serve import keep_open

if TYPE_CHECKING:  # imported only when a verb runs
    from producer.local.stack import Stack
    from producer.run.records import Run, RunResult

#: What the demo looks for: one with a negative, and one that is in none of the scenes.
DEMO_PROMPTS = (
    "red circle",
    "blue square",
    "green triangle",
    "yellow star",
    "circle",
    "other circle=circle, not red circle",
    "purple cross",
)

_SAMPLES = Path(__file__).resolve().parents[2] / "samples"

#: The scenes; in some of them an object is boxed or clicked.
_DEMO = _SAMPLES / "demo.jsonl"

#: One picture of 24 scenes, far larger than the model's own.
_LARGE = _SAMPLES / "large"

#: What is looked for in it: each of the truth's categories.
_LARGE_PROMPTS = tuple(one for one in DEMO_PROMPTS if "=" not in one)


def run(
    source: options.Source,
    out: options.Out,
    prompt: options.Prompts = None,
    spec: options.SpecFile = None,
    boxes: options.Boxes = None,
    model: options.Model = None,
    threshold: options.Threshold = None,
    exclusive: options.Exclusive = False,
    verify: options.Verify = False,
    tiles: options.Tiles = None,
    truth: Annotated[
        Path | None, typer.Option(help="COCO file to score the result against.", exists=True)
    ] = None,
    overlays: Annotated[
        str, typer.Option(help="How many images to draw, spread evenly; or 'all'.")
    ] = "200",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run into the same folder.")
    ] = False,
    strict: options.Strict = False,
    as_json: options.AsJson = False,
) -> int:
    """Annotate images into a folder: start, submit, wait, export, draw, stop."""
    from producer.run.records import Run

    question = options.asked(
        spec,
        prompt,
        model=model,
        threshold=threshold,
        exclusive=exclusive,
        verify=verify,
        tiles=tiles,
    )
    asked = Run(
        source=source,
        asked=question,
        out=out,
        boxes=boxes,
        truth=truth,
        overlays=_overlay_limit(overlays),
        resume=resume,
        workers=workers,
        strict=strict,
    )
    return _run(asked, question.model, as_json=as_json)


def demo(
    out: options.Out = Path("out/demo"),
    large: Annotated[
        bool,
        typer.Option("--large", help="One large picture instead, looked at in tiles."),
    ] = False,
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep the stack and its web server until Ctrl-C.")
    ] = False,
    as_json: options.AsJson = False,
) -> int:
    """Annotate the sample scenes with the demo models and score the masks."""
    from maskpool.spec_file import asked as asked_for
    from producer.run.records import Run

    if not _DEMO.is_file():
        raise NotFound("the sample scenes come with the repository, not with the package: clone it")
    if large:
        source, truth = _LARGE / "mosaic.jpg", _LARGE / "ground_truth.json"
        question = asked_for(None, _LARGE_PROMPTS, tiles="auto")
    else:
        source, truth = _DEMO, _SAMPLES / "scenes" / "ground_truth.json"
        question = asked_for(None, DEMO_PROMPTS)
    asked = Run(source=str(source), asked=question, out=out, truth=truth, overlays=None)
    ended = _run(asked, "demo", as_json=as_json, stay=stay)
    if not large and not as_json:
        _show_finer(out.absolute(), truth)
    return ended


def _overlay_limit(text: str) -> int | None:
    if text == "all":
        return None
    if text.isdecimal():
        return int(text)
    raise SpecError("--overlays", f"{text!r} is neither a number nor 'all'")


def _run(asked: Run, model: str, *, as_json: bool, stay: bool = False) -> int:
    from producer.run import run as annotate

    settings = load_settings(**({"model": model} if model else {}))
    if asked.out == Path("-"):
        raise SpecError("--out", "run writes a folder; name one, or pipe what export writes")
    asked = replace(asked, out=asked.out.absolute())
    with render.bar() as bar:

        def keep(done: RunResult, stack: Stack) -> None:
            bar.stop()
            _show(done, as_json=as_json)
            keep_open(stack, settings)

        done = annotate(asked, settings, bar.show, render.say, keep if stay else None)
    _show(done, as_json=as_json)
    return exits.SOME_FAILED if done.failures else exits.OK


def _show(done: RunResult, *, as_json: bool) -> None:
    if as_json:
        render.print_json(done.summary)
    else:
        _print_summary(done)


def _print_summary(done: RunResult) -> None:
    out, summary = done.out, done.summary
    rate = summary["images_per_second"]
    render.console.print(
        f"{summary['done']} of {counted(summary['jobs'], 'image')}, "
        + counted(summary["instances"], "instance")
        + (f", {rate:.1f} images/s" if isinstance(rate, float) else "")
        + f", {summary['seconds']:.1f} s in all, loading the models included",
        style="bold",
    )
    if summary["f1"] is not None:
        iou = summary["mean_iou"]
        render.console.print(
            f"against the ground truth: F1 {summary['f1']:.3f} at IoU 0.5, "
            + ("no mask lies on one of it" if iou is None else f"mean IoU {iou:.3f}")
        )
    if done.passed_over:
        render.console.print(done.passed_over.sentence(), style="yellow", soft_wrap=True)
    for sentence in (*done.boxes, *filter(None, [done.empty.sentence()])):
        render.console.print(Text(readable(sentence), style="yellow"), soft_wrap=True)
    if done.evaluation is not None:
        render.print_left_out(done.evaluation)
    render.print_failures(render.console, done.failures, len(done.failures), "summary.json")
    for name, what in (
        ("index.html", "contact sheet, opens in a browser"),
        ("coco.json", "dataset, COCO instances"),
        ("overlays", "masks drawn on the images"),
        ("summary.json", "the figures above"),
    ):
        line = Text(readable(f"  {_relative(out / name)}  ")).append(what, "dim")
        render.console.print(line, soft_wrap=True)


def _show_finer(out: Path, truth: Path) -> None:
    """What ``export --refine high`` would make of the demo's outlines, which it leaves alone."""
    from maskpool.settings import load_settings
    from producer.run.before_after import before_after
    from producer.run.publish import DATASET

    settings, picture = load_settings(), out / "finer.jpg"
    cells = settings.alias("demo").cells
    found = before_after(
        *(out / DATASET, truth, truth.parent, picture), cells=cells, settings=settings
    )
    if found is not None:
        render.console.print(
            f"finer outlines, as export --refine high makes them: boundary IoU "
            f"{found.before:.3f} → {found.after:.3f} over {counted(found.masks, 'mask')}; "
            f"before and after in {_relative(picture)}",
            soft_wrap=True,
        )


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
