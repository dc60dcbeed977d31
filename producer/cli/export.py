"""Verbs of datasets: export writes one, eval scores one against another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from maskpool import exits
from maskpool.domain import DEFAULT_THRESHOLD
from maskpool.fineness import Fineness
from maskpool.text import counted, storable
from producer.cli import options, render
from producer.cli.tables import Column, number

_SCORES = (
    Column("category", least=10),
    number("true", drop=4),
    number("found", drop=3),
    number("missed", drop=6),
    number("precision", drop=1),
    number("recall", drop=2),
    number("F1"),
    number("mean IoU", drop=5),
)

if TYPE_CHECKING:  # imported only when a verb runs
    from producer.export import Exported

#: As ``--out``; a file of that name is ``./-``.
_STANDARD_OUTPUT = Path("-")


def export(
    batch: Annotated[
        list[str],
        typer.Argument(
            help="Ids or names; several over one source are merged.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The file or folder to write; - is standard output; default coco.json.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", "-f", help="coco.")] = "coco",
    threshold: options.OwnThreshold = None,
    max_overlap: options.OwnOverlap = None,
    max_against: options.OwnAgainst = None,
    exclusive: options.OwnExclusive = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also of a batch that was cancelled or goes on.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, even if an interrupted export could go on.")
    ] = False,
    refine: Annotated[
        Fineness,
        typer.Option(
            help="Make masks finer: low drops specks and pits, medium smooths outlines, too, high "
            "draws them to the picture's edges. What is stored stays as it is.",
        ),
    ] = Fineness.NONE,
    as_json: options.AsJson = False,
) -> int:
    """Write batches as a dataset; batches over the same images become one.

    The same command goes on with what an interrupted export left beside its target. Ends with 3
    where images have no result because they failed.
    """
    from maskpool.reading import ReadingChanges
    from producer.export import export as write
    from producer.pool import open_pool

    stream = sys.stdout.buffer if out == _STANDARD_OUTPUT else None
    with open_pool() as pool, render.counting(shown=refine is not Fineness.NONE) as on_image:
        written = write(
            pool,
            batch,
            out,
            stream=stream,
            form=form,
            changes=ReadingChanges(threshold, max_overlap, max_against, exclusive),
            allow_partial=partial,
            fresh=fresh,
            refine=refine,
            on_image=on_image,
            say=render.say,
        )
    # A dataset may be on standard output, under whatever name; nothing may be mixed into it.
    piped = stream is not None or written.target.is_fifo()
    if not as_json:
        _print_export(render.errors if piped else render.console, written)
    elif not piped:
        render.print_json(_as_json(written, refine))
    else:
        render.say(render.json_line(_as_json(written, refine)))
    return exits.SOME_FAILED if written.failed else exits.OK


def _as_json(written: Exported, refine: Fineness) -> dict[str, object]:
    return {
        "file": storable(str(written.target)),
        "images": written.images,
        "annotations": written.annotations,
        "failed": written.failed,
        "failures": [{"image": one.name, "error": one.error} for one in written.failures],
        "unfinished": written.unfinished,
        **written.empty.json(),
        **({} if refine is Fineness.NONE else {"refine": written.finer.json(refine)}),
        "notes": list(written.notes),
    }


def _print_export(console: Console, written: Exported) -> None:
    console.print(
        f"{written.target}: {counted(written.images, 'image')}, "
        f"{counted(written.annotations, 'instance')}, "
        f"{counted(len(written.categories), 'category', 'categories')}",
        soft_wrap=True,
    )
    lacks = []
    if written.unfinished:
        lacks.append(
            counted(
                written.unfinished,
                "image has no result and is not in it",
                "images have no result and are not in it",
            )
        )
    if written.failed:
        lacks.append(
            counted(
                written.failed,
                "image failed and is not in it; its info names it",
                "images failed and are not in it; its info names them",
            )
        )
    for sentence in (*lacks, *written.notes):
        console.print(sentence, style="yellow")
    render.print_failures(console, written.failures, written.failed, "the file's info")


def evaluate(
    pred: Annotated[Path, typer.Argument(help="COCO file with what was found.", exists=True)],
    truth: Annotated[Path, typer.Argument(help="COCO file with what is there.", exists=True)],
    threshold: options.Threshold = None,
    iou: Annotated[float, typer.Option(min=0.01, max=1.0, help="Least IoU of a match.")] = 0.5,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """Score one COCO file against another: F1, mean IoU, rejection of what is absent, cgF1, AP."""
    from producer.scoring.evaluate import evaluate as score

    threshold = DEFAULT_THRESHOLD if threshold is None else threshold
    found = score(pred, truth, threshold=threshold, iou=iou)
    if as_json:
        render.print_json(found.to_json())
        return
    rows = [
        (
            row.category or "all",
            row.tp,
            row.fp + row.tp,
            row.fn,
            *(_three(value) for value in (row.precision, row.recall, row.f1, row.mean_iou)),
        )
        for row in (*found.by_category, found.overall)
    ]
    title = f"{counted(found.images, 'image')}, IoU ≥ {iou:g}, score ≥ {threshold:g}"
    if found.objects:
        title += "; masks from boxes and points at any score"
    render.print_table(title, _SCORES, rows, wide=wide)
    render.console.print(
        f"absent prompts left empty {_three(found.absent_rejected)} of {found.absent_pairs} · "
        f"pmF1 {_three(found.pmf1)} · IL_MCC {_three(found.il_mcc)} · cgF1 {_three(found.cgf1)} · "
        f"mask AP {_three(found.mask_ap)}"
    )
    render.print_left_out(found)


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
