"""Images of a batch read one by one, with everything that is stored of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from uuid import UUID

from sqlalchemy.orm import Session

from db import jobs
from db.jobs import DoneJob
from db.models import JobRow
from maskpool.domain import JobState
from maskpool.errors import CorruptObject, NotFound
from maskpool.reasons import reasons
from maskpool.tiling.record import Tiled
from producer.pool import Pool
from producer.results.explained import Explained, explain
from producer.results.pages import pages
from producer.results.reader import BatchView, counting
from producer.results.records import Drawn, ImageResult, Origin
from storage.objects import masks
from storage.objects.masks import MaskRecord

#: Jobs read in one short transaction.
_PAGE = 512


def read_one(pool: Pool, view: BatchView, name: str) -> ImageResult:
    """One image with what counts in it.

    Args:
        pool: Where it is.
        view: Its batch, as it is read.
        name: Of the image.

    Raises:
        NotFound: The batch has no result of such an image; says why.
        CorruptObject: Its masks are damaged or gone.
    """
    job = _one(pool, view, name)
    record = record_of(pool, view.batch_id, job)
    found = tuple(counting(view, record))
    origin = Origin(view.batch_id, record.model, record.image_sha256)
    place = (job.seq, job.name, job.image_uri)
    drawn = (Drawn(record.model, record.tiled),) * len(found)
    return ImageResult(
        *place, record.width, record.height, found, record.tiled, origin, drawn=drawn
    )


def read_explained(
    pool: Pool, view: BatchView, name: str = ""
) -> Iterator[tuple[str, Sequence[Explained], Tiled | None]]:
    """Names of the images that are DONE, and why each prompt found what it found; raises likewise.

    Last comes how the image was looked at, where its batch asked for tiles.

    Args:
        pool: Where they are.
        view: Their batch, as it is read.
        name: Of the only image that is wanted; empty: all of them.
    """
    for job in [_one(pool, view, name)] if name else _all(pool, view):
        record = record_of(pool, view.batch_id, job)
        why = explain(view, record, reasons(view.rule, record.instances))
        yield job.name, why, record.tiled


def _all(pool: Pool, view: BatchView) -> Iterator[DoneJob]:
    def page(session: Session, after: int) -> Sequence[DoneJob]:
        return jobs.done_page(session, view.batch_id, after=after, limit=_PAGE)

    return chain.from_iterable(pages(pool.database, page))


def _one(pool: Pool, view: BatchView, name: str) -> JobRow:
    with pool.database.read() as session:
        job = jobs.named(session, view.batch_id, name)
    if job is None:
        raise NotFound(f"the batch has no image {name!r}; names are paths under its source")
    if job.state == JobState.FAILED:
        raise NotFound(f"image {name!r} failed: {job.error or 'no reason was recorded'}")
    if job.state != JobState.DONE:
        raise NotFound(f"image {name!r} has no result yet")
    return job


def record_of(pool: Pool, batch_id: UUID, job: DoneJob | JobRow) -> MaskRecord:
    """All that is stored of one image that is DONE.

    Raises:
        CorruptObject: It is damaged or gone.
        Unreachable: The store is away.
    """
    place = (job.masks_key or "", job.masks_offset or 0, job.masks_length or 0)
    try:
        record = masks.read_job(pool.store(), batch_id, *place)
    except NotFound as error:
        raise CorruptObject(f"the masks of {job.name} are gone: {error}") from None
    if record.seq != job.seq:
        raise CorruptObject(f"{job.name} is missing from its mask object {job.masks_key}")
    return record
