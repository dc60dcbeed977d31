"""``eval``: what was found, scored against what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool.domain import DEFAULT_THRESHOLD
from maskpool.errors import SourceError, SpecError
from maskpool.fineness import Fineness
from maskpool.text import counted, is_storable
from producer.cli import options, render
from producer.cli.tables import Column, number

if TYPE_CHECKING:  # imported only when a verb runs
    from producer.evaluation import Evaluated
    from producer.scoring.records import Evaluation

_SCORES = (
    Column("category", least=10),
    number("true", drop=4),
    number("found", drop=3),
    number("missed", drop=7),
    number("precision", drop=1),
    number("recall", drop=2),
    number("F1"),
    number("mean IoU", drop=6),
    number("boundary", drop=5),
)


def evaluate(
    pred: Annotated[str, typer.Argument(help="COCO file with what was found, or a batch.")],
    truth: Annotated[Path, typer.Argument(help="COCO file with what is there.", exists=True)],
    threshold: options.Threshold = None,
    iou: Annotated[float, typer.Option(min=0.01, max=1.0, help="Least IoU of a match.")] = 0.5,
    refine: options.Refine = Fineness.NONE,
    cells: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=4096,
            help="Side of the maps on which a file's masks were drawn; a batch's is known.",
            show_default=False,
        ),
    ] = None,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """Score a COCO file or a batch against another file: F1, mean IoU, boundary IoU, cgF1, AP.

    Figures are those of the masks as they are stored; with --refine, those of finer masks beside
    them.
    """
    found = _evaluated(pred, truth, threshold, iou, refine, cells)
    if as_json:
        render.print_json(_as_json(found, refine))
    else:
        shown, of_batch = found.finer or found.stored, not _is_file(pred)
        _print_scores(shown, refine, of_batch=of_batch, wide=wide)
        if found.finer is not None:
            render.console.print(f"as stored: {_short(found.stored)}")
            render.console.print(f"{refine}: {_short(found.finer)}")
        render.print_left_out(shown)
    render.warn(found.notes)


def _evaluated(
    pred: str,
    truth: Path,
    threshold: float | None,
    iou: float,
    refine: Fineness,
    cells: int | None,
) -> Evaluated:
    from producer.evaluation import evaluate_batch, evaluate_file
    from producer.pool import open_pool

    with render.counting(shown=refine is not Fineness.NONE) as on_image:
        if _is_file(pred):
            return evaluate_file(
                Path(pred),
                truth,
                threshold=DEFAULT_THRESHOLD if threshold is None else threshold,
                iou=iou,
                fineness=refine,
                cells=cells,
                on_image=on_image,
            )
        if cells is not None:
            raise SpecError("--cells", f"is of files, and {pred!r} is none; a batch's are known")
        with open_pool() as pool:
            return evaluate_batch(
                pool,
                pred,
                truth,
                threshold=threshold,
                iou=iou,
                fineness=refine,
                say=render.say,
                on_image=on_image,
            )


def _is_file(pred: str) -> bool:
    """Whether a file is meant; else it is a batch.

    Raises:
        SourceError: It looks like a file, and there is none.
    """
    if os.path.exists(pred):  # noqa: PTH110 - a path that is too long is none, and no error
        return True
    if pred.endswith(".json") or os.sep in pred or not is_storable(pred):
        raise SourceError(pred, "there is no such file; name a COCO file, or a batch of the pool")
    return False


def _as_json(found: Evaluated, refine: Fineness) -> dict[str, object]:
    if found.finer is None:
        return found.stored.to_json()
    as_stored = found.stored.to_json()
    return {**found.finer.to_json(), "refine": found.made.json(refine), "as_stored": as_stored}


def _print_scores(found: Evaluation, refine: Fineness, *, of_batch: bool, wide: bool) -> None:
    rows = [
        (
            row.category or "all",
            row.tp,
            row.fp + row.tp,
            row.fn,
            *map(_three, (row.precision, row.recall, row.f1, row.mean_iou, row.mean_boundary_iou)),
        )
        for row in (*found.by_category, found.overall)
    ]
    counts = "what counts in the batch" if of_batch else f"score ≥ {found.threshold:g}"
    title = f"{counted(found.images, 'image')}, IoU ≥ {found.iou:g}, {counts}"
    if refine is not Fineness.NONE:
        title += f"; masks made finer: {refine}"
    if found.objects:
        title += "; masks from boxes and points at any score"
    render.print_table(title, _SCORES, rows, wide=wide)
    render.console.print(
        f"absent prompts left empty {_three(found.absent_rejected)} of {found.absent_pairs} · "
        f"pmF1 {_three(found.pmf1)} · IL_MCC {_three(found.il_mcc)} · cgF1 {_three(found.cgf1)} · "
        f"mask AP {_three(found.mask_ap)}"
    )


def _short(found: Evaluation) -> str:
    return (
        f"F1 {_three(found.f1)} · mean IoU {_three(found.mean_iou)} · "
        f"boundary IoU {_three(found.mean_boundary_iou)} · mask AP {_three(found.mask_ap)}"
    )


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
