"""``results``: what was found image by image, what failed, and why something was not found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from maskpool.errors import SpecError
from maskpool.fineness import Fineness
from maskpool.text import counted
from producer.cli import options, render
from producer.cli.tables import Column, sentence
from producer.results.finer import NO_FINER_MASKS
from producer.results.records import ImageResult, LabelledInstance

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from maskpool.tiling.record import Tiled
    from producer.pool import Pool
    from producer.results.explained import Explained
    from producer.results.lacks import Lacks
    from producer.results.reader import BatchView

_Rows = Iterator[Mapping[str, object]]

_RESULTS = (Column("image", least=16), Column("size", drop=1), sentence("found"))
_FAILURES = (Column("image", least=16), sentence("error"))
_EXPLAINED = (Column("image", least=16), Column("prompt", least=12), sentence("why"))


def results(
    batch: options.Batch,
    failed: Annotated[bool, typer.Option("--failed", help="What failed, and why.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Why each prompt found nothing, or how much.")
    ] = False,
    image: Annotated[
        str, typer.Option("--image", help="Only this image, by its name in the batch.")
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many images; 0: all.")] = 0,
    threshold: options.OwnThreshold = None,
    max_overlap: options.OwnOverlap = None,
    max_against: options.OwnAgainst = None,
    exclusive: options.OwnExclusive = None,
    refine: options.Refine = Fineness.NONE,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what was found image by image; --json gives one object a line, masks included."""
    from maskpool.reading import ReadingChanges
    from producer.pool import open_pool
    from producer.results import reader
    from producer.results.lacks import read_lacks

    if failed and (explain or image):
        raise SpecError("--failed", "says why images failed; leave --explain and --image out")
    if refine is not Fineness.NONE and (failed or explain or not as_json):
        reason = "makes masks finer, which --json alone shows; counts and reasons never change"
        raise SpecError("--refine", reason)
    with open_pool() as pool:
        batch_id = pool.find(batch)
        stop = limit or None
        if failed:
            _show(_FAILURES, islice(_failures(pool, batch_id), stop), wide=wide, as_json=as_json)
            return
        changes = ReadingChanges(threshold, max_overlap, max_against, exclusive)
        view = reader.view(pool.database, batch_id, changes)
        if explain:
            rows = _explained(pool, view, image, stop, as_json=as_json)
            _show(_EXPLAINED, rows, wide=wide, as_json=as_json)
        elif refine is not Fineness.NONE:
            _print_finer(pool, view, image, stop, refine)
        else:
            found = _found(pool, view, image, stop)
            shown = _image_json if as_json else _image_row
            _show(_RESULTS, map(shown, found), wide=wide, as_json=as_json)
        if not image:
            render.warn(_lacking(read_lacks(pool.database, batch_id)))


def _show(columns: Sequence[Column], rows: _Rows, *, wide: bool, as_json: bool) -> None:
    if as_json:
        render.print_json_lines(rows)
    else:
        _print_rows(columns, rows, wide=wide)


def _failures(pool: Pool, batch_id: UUID) -> _Rows:
    from producer.results import reader

    for one in reader.read_failures(pool.database, batch_id):
        yield {"image": one.name, "error": one.error}


def _found(pool: Pool, view: BatchView, image: str, stop: int | None) -> Iterator[ImageResult]:
    from producer.results import reader
    from producer.results.single import read_one

    if image:
        return iter([read_one(pool, view, image)][:stop])
    return islice(reader.read_images(pool.database, pool.store(), [view]), stop)


def _print_finer(
    pool: Pool, view: BatchView, image: str, stop: int | None, fineness: Fineness
) -> None:
    from producer import batches
    from producer.finer import finer_images

    done = 1 if image else batches.progress(pool, view.batch_id).done
    left = done if stop is None else min(done, stop)
    found = _found(pool, view, image, stop)
    all_made = NO_FINER_MASKS

    def rows() -> _Rows:
        nonlocal all_made
        finer = finer_images(pool, found, [view.batch_id], fineness, left=left, say=render.say)
        for one in finer:
            made = NO_FINER_MASKS.and_those_of(one.finer)
            all_made = all_made.and_those_of(made)
            yield {**_image_json(one), "refine": made.json(fineness)}

    render.print_json_lines(rows())
    render.warn(all_made.sentences(fineness))


def _explained(
    pool: Pool, view: BatchView, image: str, stop: int | None, *, as_json: bool
) -> _Rows:
    from producer.results.single import read_explained

    for name, prompts, tiled in islice(read_explained(pool, view, image), stop):
        if as_json:
            shown = {"image": name, "prompts": [_explained_json(one) for one in prompts]}
            yield shown | _tiled_json(tiled)
            continue
        for place, one in enumerate(prompts):
            yield {
                "image": "" if place else name,
                "prompt": one.category,
                "why": one.sentence,
            }
        if tiled is not None:
            yield {"image": "", "prompt": "", "why": tiled.sentence}


def _tiled_json(tiled: Tiled | None) -> dict[str, Any]:
    return {} if tiled is None else {"tiles": {**tiled.to_json(), "sentence": tiled.sentence}}


def _explained_json(one: Explained) -> Mapping[str, Any]:
    return {
        "prompt": one.category,
        "counting": one.counting,
        "stored": one.stored,
        "threshold": one.threshold,
        "presence": None if one.scores is None else one.scores.presence,
        "best": None if one.scores is None else one.scores.best,
        "reason": str(one.reason),
        "sentence": one.sentence,
    }


def _lacking(lacks: Lacks) -> Iterator[str]:
    """What is not among the results that were shown."""
    if lacks.failed:
        failed = "image failed and is not shown", "images failed and are not shown"
        yield f"{counted(lacks.failed, *failed)}; --failed says why"
    if lacks.unfinished:
        yield counted(lacks.unfinished, "image has no result yet", "images have no result yet")


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
        **_tiled_json(image.tiled),
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
