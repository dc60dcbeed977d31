"""Batches become a dataset: one file or folder in a format that training tools read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from db import lookup
from maskpool.domain import BatchState, Progress
from maskpool.errors import Conflict, Option, SpecError
from maskpool.fineness import Fineness
from maskpool.reading import NO_CHANGES, ReadingChanges
from maskpool.text import counted
from producer.finer import finer_stream
from producer.finer_estimate import Estimate, estimated
from producer.formats import FORMATS, targets
from producer.formats.spool import spooled
from producer.pool import Pool
from producer.results import reader
from producer.results.empty import EmptyMasks
from producer.results.finer import FinerMasks
from producer.results.lacks import Lacks, read_lacks, together
from producer.results.records import Failure, ImageResult, ImageStream

#: Called with the images that are written, and with how many there are at most.
OnImage = Callable[[int, int], None]

#: Called with what making masks finer would take.
OnEstimate = Callable[[Estimate], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        target: The file or folder.
        images: Images in it.
        annotations: Instances in it.
        categories: Their names, in order.
        failed: Images without a result because they failed, summed over the batches.
        failures: The first of them, with the reason.
        unfinished: Images without a result because their batch was cancelled or goes on.
        notes: Sentences about what a reader of the dataset must know.
        empty: Masks without a pixel, which are not in it.
        finer: What became of its masks where they were made finer.
    """

    target: Path
    images: int
    annotations: int
    categories: Sequence[str]
    failed: int
    failures: Sequence[Failure]
    unfinished: int
    notes: Sequence[str]
    empty: EmptyMasks
    finer: FinerMasks


def export(
    pool: Pool,
    references: Sequence[str],
    target: Path | None = None,
    *,
    form: str = "coco",
    changes: ReadingChanges = NO_CHANGES,
    allow_partial: bool = False,
    fresh: bool = False,
    refine: Fineness = Fineness.NONE,
    processes: int = 0,
    stream: BinaryIO | None = None,
    say: Callable[[str], None] = lambda _: None,
    on_image: OnImage = lambda _done, _total: None,
    on_estimate: OnEstimate | None = None,
) -> Exported:
    """Write batches as a dataset; batches over the same images become one.

    What an interrupted export left beside the target is taken up by the same call. Images that
    failed are not in the dataset, but named in its ``info``: a training tool must not take an image
    that nobody could read for one that shows nothing.

    Args:
        pool: Where the batches are.
        references: Ids or names of the batches, at least one.
        target: The file or folder to write; an older export there is replaced at the end. None is
            the format's own name in the present folder. Of a link the target is written; a named
            pipe gets the whole dataset once it is complete.
        form: A key of ``FORMATS``.
        changes: What counts instead of what each batch says itself.
        allow_partial: Also of batches that were cancelled or have not ended.
        fresh: Start over, whatever an interrupted export left.
        refine: How fine the masks are made on the way; what is stored never changes.
        processes: That make them finer; 0: one for each core.
        stream: Gets the whole dataset instead of ``target``, once it is complete.
        say: Takes sentences for the user.
        on_image: Called with each image that is written; what it raises ends the export there.
        on_estimate: Called before masks are made finer, with what that would take; what it raises
            ends the export before anything is written. Without it nothing is measured for it, and
            ``say`` hears as much once the first are made.

    Raises:
        SpecError: The format is not known.
        NotFound: There is no such batch, or no folder to write in.
        ConfigError: The target is a device or a socket.
        Conflict: A batch is not done, the target is in use or holds something else, or batches
            that are merged saw different pictures under one name.
        CorruptObject: A mask object is damaged or gone; names it.
        Unreachable: Database or store is away.
    """
    if form not in FORMATS:
        raise SpecError("format", f"{form!r} is not known; there is {', '.join(FORMATS)}")
    target = target or Path(FORMATS[form].default_target)
    if stream is None:
        target = targets.resolved(target)
    # Each batch once, whatever it is called by: merged with itself it would have all masks twice.
    batch_ids = list(dict.fromkeys(pool.find(reference) for reference in references))
    each = [read_lacks(pool.database, batch_id) for batch_id in batch_ids]
    if not allow_partial:
        for batch_id, one in zip(batch_ids, each, strict=True):
            with pool.database.read() as session:
                _require_done(lookup.progress(session, batch_id), one)
    views = [reader.view(pool.database, batch_id, changes) for batch_id in batch_ids]
    categories = reader.merged_categories(views)
    lacks = together(each)
    opened: list[reader.MergedImages] = []
    total = max(one.total for one in each)
    if on_estimate is not None and refine is not Fineness.NONE:
        on_estimate(estimated(pool, views, refine, images=total, processes=processes))

    def images(skip: int) -> ImageStream:
        opened.append(reader.read_images(pool.database, pool.store(), views, skip))
        read = finer_stream(
            *(pool, opened[-1], batch_ids, refine),
            left=total - skip,
            processes=processes,
            # Who heard an estimate before needs none on the way.
            say=say if on_estimate is None else lambda _: None,
        )
        return _Counted(read, lambda done: on_image(skip + done, total))

    info = {"description": f"maskpool batches {', '.join(str(view.batch_id) for view in views)}"}
    with spooled(target, stream, say) as (place, tell):
        counts = FORMATS[form].write(
            place,
            categories,
            images,
            info | lacks.info(),
            fresh=fresh,
            say=tell,
            fineness=refine,
        )
    return Exported(
        target=target,
        images=counts.images,
        annotations=counts.annotations,
        categories=categories,
        failed=lacks.failed,
        failures=lacks.failures,
        unfinished=lacks.unfinished,
        notes=[
            *_notes(opened[-1]),
            *filter(None, [counts.empty.sentence()]),
            *counts.finer.sentences(refine),
        ],
        empty=counts.empty,
        finer=counts.finer,
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """Images, and somebody who is told of each."""

    images: ImageStream
    tell: Callable[[int], None]

    @property
    def fingerprint(self) -> str:
        return self.images.fingerprint

    def __iter__(self) -> Iterator[ImageResult]:
        for done, image in enumerate(self.images, start=1):
            yield image
            self.tell(done)


def _notes(images: reader.MergedImages) -> list[str]:
    """What a reader of merged batches would not guess."""
    notes = []
    if images.incomplete:
        notes.append(
            f"{counted(images.incomplete, 'image is', 'images are')} not in every batch; what "
            "only the other batches looked for was not looked for there"
        )
    if images.doubled:
        notes.append(
            f"two batches looked for {', '.join(sorted(images.doubled))} in the same images; its "
            "masks are in the dataset twice"
        )
    return notes


def _require_done(batch: Progress, lacks: Lacks) -> None:
    """Refuse a batch that was cancelled or goes on."""
    missing = {"batch": str(batch.batch_id), "missing": lacks.unfinished, "total": lacks.total}
    if batch.state == BatchState.CANCELLED:
        raise Conflict(
            f"batch {batch.batch_id} was cancelled, {lacks.unfinished:,} of its "
            f"{counted(lacks.total, 'image')} without a result; to export the others, ask "
            "for a partial dataset",
            option=Option.PARTIAL,
            code="export.cancelled",
            params=missing,
        )
    if batch.state != BatchState.DONE:
        raise Conflict(
            f"batch {batch.batch_id} is {batch.state.label}, "
            f"{counted(lacks.unfinished, 'image')} to go; wait for it, or ask for a partial "
            "dataset",
            option=Option.PARTIAL,
            code="export.unfinished",
            params=missing,
        )
