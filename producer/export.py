"""Batches become a dataset: one file or folder in a format that training tools read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from db import jobs, lookup
from maskpool.domain import BatchState, JobState, Progress
from maskpool.errors import Conflict, SpecError
from producer.formats import FORMATS, targets
from producer.formats.spool import spooled
from producer.pool import Pool
from producer.results import reader
from producer.results.records import Failure

#: Failed images that are named at most; ``Exported.failed`` counts all.
_MAX_NAMED = 1_000


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
    """

    target: Path
    images: int
    annotations: int
    categories: Sequence[str]
    failed: int
    failures: Sequence[Failure]
    unfinished: int
    notes: Sequence[str]


def export(
    pool: Pool,
    references: Sequence[str],
    target: Path | None = None,
    *,
    form: str = "coco",
    threshold: float | None = None,
    max_overlap: float | None = None,
    allow_partial: bool = False,
    fresh: bool = False,
    stream: BinaryIO | None = None,
    say: Callable[[str], None] = lambda _: None,
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
        threshold: Lowest score that counts instead of each batch's own.
        max_overlap: Highest overlap that counts instead of each batch's own.
        allow_partial: Also of batches that were cancelled or have not ended.
        fresh: Start over, whatever an interrupted export left.
        stream: Gets the whole dataset instead of ``target``, once it is complete.
        say: Takes sentences for the user.

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
    batches = _readable(pool, references, allow_partial=allow_partial)
    views = [
        reader.view(pool.database, batch.batch_id, threshold=threshold, max_overlap=max_overlap)
        for batch in batches
    ]
    categories = reader.merged_categories(views)
    without = _Without.of(pool, batches)
    opened: list[reader.MergedImages] = []

    def images(skip: int) -> reader.MergedImages:
        opened.append(reader.read_images(pool.database, pool.store(), views, skip))
        return opened[-1]

    info = {"description": f"maskpool batches {', '.join(str(view.batch_id) for view in views)}"}
    with spooled(target, stream, say) as (place, tell):
        counts = FORMATS[form].write(
            place, categories, images, info | without.info(), fresh=fresh, say=tell
        )
    return Exported(
        target=target,
        images=counts.images,
        annotations=counts.annotations,
        categories=categories,
        failed=without.failed,
        failures=without.failures,
        unfinished=without.unfinished,
        notes=_notes(opened[-1]),
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch that is meant, and how many of its images are in each state."""

    progress: Progress
    counts: Mapping[JobState, int]

    @property
    def batch_id(self) -> UUID:
        return self.progress.batch_id

    @property
    def failed(self) -> int:
        return self.counts.get(JobState.FAILED, 0)

    @property
    def unfinished(self) -> int:
        return sum(self.counts.values()) - self.failed - self.counts.get(JobState.DONE, 0)

    def require_done(self) -> None:
        """Refuse a batch that was cancelled or goes on."""
        state = self.progress.state
        if state == BatchState.CANCELLED:
            raise Conflict(
                f"batch {self.batch_id} was cancelled, {self.unfinished:,} of its "
                f"{sum(self.counts.values()):,} images have no result; to export the others, say "
                "--partial"
            )
        if state != BatchState.DONE:
            raise Conflict(
                f"batch {self.batch_id} is {state.label}, {self.unfinished:,} images to go; wait "
                "for it (maskpool status --watch), or say --partial"
            )


@dataclass(frozen=True, slots=True)
class _Without:
    """Images of the batches that have no result: how many, and which failed; see ``Exported``."""

    failed: int
    failures: Sequence[Failure]
    unfinished: int

    @classmethod
    def of(cls, pool: Pool, batches: Sequence[_Batch]) -> _Without:
        named = chain.from_iterable(
            reader.read_failures(pool.database, batch.batch_id) for batch in batches if batch.failed
        )
        return cls(
            failed=sum(batch.failed for batch in batches),
            failures=tuple(islice(named, _MAX_NAMED)),
            unfinished=sum(batch.unfinished for batch in batches),
        )

    def info(self) -> dict[str, object]:
        """What the dataset itself says of them; nothing where every image has a result."""
        said: dict[str, object] = {}
        if self.failed:
            named = [{"file_name": one.name, "error": one.error} for one in self.failures]
            said |= {"failed": self.failed, "failed_images": named}
        if self.unfinished:
            said["unfinished"] = self.unfinished
        return said


def _notes(images: reader.MergedImages) -> list[str]:
    """What a reader of merged batches would not guess."""
    notes = []
    if images.incomplete:
        notes.append(
            f"{images.incomplete:,} images are not in every batch; what only the other batches "
            "looked for was not looked for in them"
        )
    if images.doubled:
        notes.append(
            f"two batches looked for {', '.join(sorted(images.doubled))} in the same images; its "
            "masks are in the dataset twice"
        )
    return notes


def _readable(pool: Pool, references: Sequence[str], *, allow_partial: bool) -> list[_Batch]:
    """The batches that are meant, each once, whatever it is called by."""
    ids = dict.fromkeys(pool.find(reference) for reference in references)
    with pool.database.read() as session:
        batches = [
            _Batch(lookup.progress(session, one), jobs.count_by_state(session, one)) for one in ids
        ]
    if not allow_partial:
        for batch in batches:
            batch.require_done()
    return batches
