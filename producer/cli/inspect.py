"""Verbs that only read: ls, status, results, export, eval."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from maskpool.domain import DEFAULT_THRESHOLD, BatchState
from maskpool.errors import Conflict, NotFound, SpecError
from producer.cli import options, render
from producer.cli.connect import Pool, pool
from producer.cli.idle import warn_if_idle

_SOME_FAILED = 3
_POLL_SECONDS = 0.5


def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """List batches, newest first."""
    from db import lookup

    with pool() as here:
        owner = here.settings.owner_name if mine else None
        with here.database.read() as session:
            found = lookup.recent(session, limit=limit, owner=owner)
    if as_json:
        render.print_json([render.batch_json(one) for one in found])
    else:
        render.print_table("", render.BATCH_COLUMNS, [render.batch_row(one) for one in found])


def status(
    batch: Annotated[
        str | None, typer.Argument(help="Id or name; without: the whole pool.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Until it ends.")] = False,
    as_json: options.AsJson = False,
) -> int:
    """Show how far a batch is, or how the pool is."""
    with pool() as here:
        if batch is None:
            _show_pool(here, as_json=as_json)
            return 0
        return _show_batch(here, batch, watch=watch, as_json=as_json)


def _show_batch(here: Pool, batch: str, *, watch: bool, as_json: bool) -> int:
    from db import lookup
    from producer.results.reader import Speed, count_instances, view

    batch_id = here.find(batch)
    with here.database.read() as session:
        progress = lookup.progress(session, batch_id)
    if progress.state == BatchState.ACTIVE:
        warn_if_idle(here, progress.model)
    if watch:
        speed = Speed()
        with render.bar() as bar:
            while True:
                with here.database.read() as session:
                    progress = lookup.progress(session, batch_id)
                bar.show(progress, *speed.see(progress))
                if progress.ended:
                    break
                time.sleep(_POLL_SECONDS)
    with here.database.read() as session:
        progress = lookup.progress(session, batch_id)
    if as_json:
        render.print_json(render.batch_json(progress))
    else:
        render.print_table("", render.BATCH_COLUMNS, [render.batch_row(progress)])
        counts = count_instances(here.database, view(here.database, batch_id))
        rows = [(name, f"{count:,}") for name, count in counts.items()]
        render.print_table("\nfound so far", ("prompt", "#instances"), rows)
    return _SOME_FAILED if progress.ended and progress.failed else 0


def _show_pool(here: Pool, *, as_json: bool) -> None:
    from db import workers

    with here.database.read() as session:
        alive = workers.alive(session)
    warn_if_idle(here)
    if as_json:
        render.print_json([{**asdict(one), "id": str(one.id)} for one in alive])
        return
    rows = [
        (one.name, one.model, one.device, one.images_per_s and f"{one.images_per_s:.1f}")
        for one in alive
    ]
    render.print_table(
        f"{len(rows)} workers alive", ("worker", "model", "device", "#images/s"), rows
    )


def results(
    batch: options.Batch,
    failed: Annotated[bool, typer.Option("--failed", help="What failed, and why.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many images; 0: all.")] = 0,
    threshold: options.OwnThreshold = None,
    max_overlap: options.OwnOverlap = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what was found image by image; --json gives one object a line, masks included."""
    from producer.results import reader as reading

    with pool() as here:
        batch_id = here.find(batch)
        stop = limit or None
        if failed:
            failures = islice(reading.read_failures(here.database, batch_id), stop)
            rows: Iterator[Mapping[str, object]] = (
                {"image": one.name, "error": one.error} for one in failures
            )
        else:
            view = reading.view(
                here.database, batch_id, threshold=threshold, max_overlap=max_overlap
            )
            images = reading.read_images(here.database, here.store(), [view])
            rows = (_image_json(image, masks=as_json) for image in islice(images, stop))
        if as_json:
            render.print_json_lines(rows)
        else:
            _print_rows(rows)


def _image_json(image, *, masks: bool) -> Mapping[str, object]:  # type: ignore[no-untyped-def]  # noqa: ANN001 - imported late
    if not masks:
        names = [one.category for one in image.instances]
        found = ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))
        return {"image": image.name, "size": f"{image.width}×{image.height}", "found": found or "–"}
    return {
        "image": image.name,
        "width": image.width,
        "height": image.height,
        "instances": [
            {
                "category": one.category,
                "score": one.instance.found.score,
                "clip_score": one.instance.clip_score,
                "overlap": one.instance.overlap,
                "area": one.instance.area,
                "box_xyxy": one.instance.found.box_xyxy,
                "segmentation": {
                    "size": one.instance.found.mask.size,
                    "counts": one.instance.found.mask.counts,
                },
            }
            for one in image.instances
        ],
    }


def _print_rows(rows: Iterator[Mapping[str, object]]) -> None:
    collected = list(rows)
    if not collected:
        render.console.print("nothing to show")
        return
    render.print_table("", list(collected[0]), [list(row.values()) for row in collected])


def export(
    batch: Annotated[
        list[str],
        typer.Argument(
            help="Ids or names; several over one source are merged.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path(
        "coco.json"
    ),
    form: Annotated[str, typer.Option("--format", "-f", help="coco.")] = "coco",
    threshold: options.OwnThreshold = None,
    max_overlap: options.OwnOverlap = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also of a batch that has not ended.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, even if an interrupted export could go on.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write batches as a dataset; batches over the same images become one.

    What an interrupted export left beside the file is taken up by the same command.
    """
    from db import lookup
    from producer.formats import FORMATS
    from producer.results import reader as reading

    if form not in FORMATS:
        raise SpecError("--format", f"{form!r} is not known; there is {', '.join(FORMATS)}")
    with pool() as here:
        views = []
        for reference in dict.fromkeys(batch):
            batch_id = here.find(reference)
            with here.database.read() as session:
                progress = lookup.progress(session, batch_id)
            if not progress.ended and not partial:
                raise Conflict(
                    f"batch {batch_id} is {progress.state.label}, {progress.remaining:,} images to "
                    "go; wait for it (maskpool status --watch), or say --partial"
                )
            views.append(
                reading.view(here.database, batch_id, threshold=threshold, max_overlap=max_overlap)
            )
        if not out.absolute().parent.is_dir():
            raise NotFound(f"there is no folder {out.absolute().parent} to write {out.name} in")
        categories = reading.merged_categories(views)
        store = here.store()
        info = {"description": f"maskpool batches {', '.join(str(v.batch_id) for v in views)}"}
        counts = FORMATS[form](
            out,
            categories,
            lambda behind: reading.read_images(here.database, store, views, behind),
            info,
            fresh=fresh,
            say=render.say,
        )
    if as_json:
        render.print_json(
            {"file": str(out), "images": counts.images, "annotations": counts.annotations}
        )
    else:
        render.console.print(
            f"{out}: {counts.images:,} images, {counts.annotations:,} instances, "
            f"{len(categories)} categories",
            soft_wrap=True,
        )


def evaluate(
    pred: Annotated[Path, typer.Argument(help="COCO file with what was found.", exists=True)],
    truth: Annotated[Path, typer.Argument(help="COCO file with what is there.", exists=True)],
    threshold: options.Threshold = DEFAULT_THRESHOLD,
    iou: Annotated[float, typer.Option(min=0.01, max=1.0, help="Least IoU of a match.")] = 0.5,
    as_json: options.AsJson = False,
) -> None:
    """Score one COCO file against another: F1, mean IoU, rejection of what is absent, cgF1, AP."""
    from producer.scoring.evaluate import evaluate as score

    found = score(pred, truth, threshold=threshold, iou=iou)
    if as_json:
        render.print_json(found.to_json())
        return
    columns = (
        "category",
        "#true",
        "#found",
        "#missed",
        "#precision",
        "#recall",
        "#F1",
        "#mean IoU",
    )
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
    render.print_table(
        f"{found.images} images, IoU ≥ {iou:g}, score ≥ {threshold:g}", columns, rows
    )
    render.console.print(
        f"absent prompts left empty {_three(found.absent_rejected)} of {found.absent_pairs} · "
        f"pmF1 {_three(found.pmf1)} · IL_MCC {_three(found.il_mcc)} · cgF1 {_three(found.cgf1)} · "
        f"mask AP {_three(found.mask_ap)}"
    )
    for words, names in (
        ("images only in the truth", found.images_only_in_truth),
        ("images only in the prediction", found.images_only_in_prediction),
        ("categories only in the truth", found.categories_only_in_truth),
        ("categories only in the prediction", found.categories_only_in_prediction),
    ):
        if names:
            render.console.print(
                f"left out, {words}: {', '.join(names[:5])} ({len(names)})", style="yellow"
            )


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
