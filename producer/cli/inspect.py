"""Verbs that only read: ls, status, results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool import exits
from maskpool.domain import BatchState
from producer.cli import options, render
from producer.cli.tables import Column, number, sentence
from producer.results.records import ImageResult, LabelledInstance

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from producer.contending import Contending
    from producer.pool import Pool
    from producer.results.lacks import Lacks

#: Pairs of prompts that ``status`` names at most.
_MAX_PAIRS = 5

_PROMPTS = (Column("prompt", least=12), number("instances"))
_WORKERS = (
    Column("worker", least=12),
    Column("model", least=8),
    Column("device", drop=1),
    number("images/s", drop=2),
)
_RESULTS = (Column("image", least=16), Column("size", drop=1), sentence("found"))
_FAILURES = (Column("image", least=16), sentence("error"))


def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """List batches, newest first."""
    from producer import batches
    from producer.pool import open_pool

    with open_pool() as pool:
        owner = pool.settings.owner_name if mine else None
        found = batches.recent(pool, limit=limit, owner=owner)
    if as_json:
        render.print_json([render.batch_json(one) for one in found])
    else:
        rows = [render.batch_row(one) for one in found]
        render.print_table("", render.BATCH_COLUMNS, rows, wide=wide)


def status(
    batch: Annotated[
        str | None, typer.Argument(help="Id or name; without: the whole pool.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Until it ends.")] = False,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> int:
    """Show how far a batch is, or how the pool is."""
    from producer.pool import open_pool

    with open_pool() as pool:
        if batch is None:
            _show_pool(pool, wide=wide, as_json=as_json)
            return exits.OK
        return _show_batch(pool, batch, watch=watch, wide=wide, as_json=as_json)


def _show_batch(pool: Pool, batch: str, *, watch: bool, wide: bool, as_json: bool) -> int:
    from producer import batches
    from producer.contending import contending
    from producer.pool import why_idle

    batch_id = pool.find(batch)
    progress = batches.progress(pool, batch_id)
    if progress.state == BatchState.ACTIVE:
        render.warn(why_idle(pool, progress.model))
    if watch:
        with render.bar() as bar:
            for now, pace in batches.watch(pool, batch_id):
                bar.show(now, *pace)
        progress = batches.progress(pool, batch_id)
    if as_json:
        render.print_json(render.batch_json(progress))
    else:
        render.print_table("", render.BATCH_COLUMNS, [render.batch_row(progress)], wide=wide)
        counts = batches.count_instances(pool, batch_id)
        rows = [(name, f"{count:,}") for name, count in counts.items()]
        render.print_table("\nfound so far", _PROMPTS, rows, wide=wide)
        _show_contending(contending(pool, batch_id))
    return exits.SOME_FAILED if progress.ended and progress.failed else exits.OK


def _show_contending(pairs: Sequence[Contending]) -> None:
    for pair in pairs[:_MAX_PAIRS]:
        where = f" in a sample of {pair.images:,} images" if pair.images else ""
        render.console.print(
            f"{pair.one} and {pair.other} often found the same object, "
            f"{pair.instances:,} times{where}"
        )


def _show_pool(pool: Pool, *, wide: bool, as_json: bool) -> None:
    from producer.pool import why_idle

    alive = pool.living_workers()
    render.warn(why_idle(pool))
    if as_json:
        render.print_json(
            [
                {**asdict(one), "id": str(one.id), "abilities": sorted(one.abilities)}
                for one in alive
            ]
        )
        return
    rows = [
        (one.name, one.model, one.device, one.images_per_s and f"{one.images_per_s:.1f}")
        for one in alive
    ]
    render.print_table(f"{len(rows)} workers alive", _WORKERS, rows, wide=wide)


def results(
    batch: options.Batch,
    failed: Annotated[bool, typer.Option("--failed", help="What failed, and why.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many images; 0: all.")] = 0,
    threshold: options.OwnThreshold = None,
    max_overlap: options.OwnOverlap = None,
    max_against: options.OwnAgainst = None,
    exclusive: options.OwnExclusive = None,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what was found image by image; --json gives one object a line, masks included."""
    from maskpool.reading import ReadingChanges
    from producer.pool import open_pool
    from producer.results import reader
    from producer.results.lacks import read_lacks

    with open_pool() as pool:
        batch_id = pool.find(batch)
        stop = limit or None
        if failed:
            failures = islice(reader.read_failures(pool.database, batch_id), stop)
            rows: Iterator[Mapping[str, object]] = (
                {"image": one.name, "error": one.error} for one in failures
            )
        else:
            changes = ReadingChanges(threshold, max_overlap, max_against, exclusive)
            view = reader.view(pool.database, batch_id, changes)
            images = islice(reader.read_images(pool.database, pool.store(), [view]), stop)
            rows = (_image_json(one) if as_json else _image_row(one) for one in images)
        if as_json:
            render.print_json_lines(rows)
        else:
            _print_rows(_FAILURES if failed else _RESULTS, rows, wide=wide)
        if not failed:
            render.warn(_lacking(read_lacks(pool.database, batch_id)))


def _lacking(lacks: Lacks) -> Iterator[str]:
    """What is not among the results that were shown."""
    if lacks.failed:
        yield f"{lacks.failed:,} images failed and are not shown; --failed shows them"
    if lacks.unfinished:
        yield f"{lacks.unfinished:,} images have no result yet"


def _image_row(image: ImageResult) -> Mapping[str, object]:
    names = [one.category for one in image.instances if one.instance.area]
    found = [f"{names.count(name)} × {name}" for name in dict.fromkeys(names)]
    if empty := len(image.instances) - len(names):
        found.append(f"{empty} empty")
    return {
        "image": image.name,
        "size": f"{image.width}×{image.height}",
        "found": ", ".join(found) or "–",
    }


def _image_json(image: ImageResult) -> Mapping[str, object]:
    return {
        "image": image.name,
        "width": image.width,
        "height": image.height,
        "instances": [_instance_json(one) for one in image.instances],
    }


def _instance_json(labelled: LabelledInstance) -> Mapping[str, object]:
    instance, found = labelled.instance, labelled.instance.found
    fields = {
        "category": labelled.category,
        "score": found.score,
        "clip_score": instance.clip_score,
        "overlap": instance.overlap,
        "area": instance.area,
        "box_xyxy": found.box_xyxy,
        "segmentation": {"size": found.mask.size, "counts": found.mask.counts},
    }
    # Most instances have none of them.
    rare = {
        "against": instance.against,
        "against_text": instance.against_text,
        "contended": instance.contended,
        "contender_category": labelled.contender_category,
        "object_index": found.object_index,
        "predicted_iou": found.predicted_iou,
    }
    return fields | {name: value for name, value in rare.items() if value is not None}


def _print_rows(
    columns: Sequence[Column], rows: Iterator[Mapping[str, object]], *, wide: bool
) -> None:
    collected = [tuple(row.values()) for row in rows]
    if not collected:
        render.console.print("nothing to show")
        return
    render.print_table("", columns, collected, wide=wide)
