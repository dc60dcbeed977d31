"""Reading batches back: their finished images with masks, and the images that failed."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.orm import Session

from db import jobs, lookup
from db.jobs import DoneJob
from db.lookup import StoredQuestion
from db.models import JobRow
from db.session import Database
from maskpool.domain import Instance, JobState
from maskpool.errors import Conflict, CorruptObject, NotFound
from maskpool.ports import ObjectStore
from maskpool.reading import NO_CHANGES, ReadingChanges, reading_of
from maskpool.reading_rule import ReadingRule
from maskpool.spec import BatchSpec
from producer.results.pages import pages
from producer.results.records import Drawn, Failure, ImageResult, LabelledInstance, Origin
from storage.objects import masks
from storage.objects.masks import MaskRecord, StoredChunk

#: Jobs read in one short transaction. Also the images in one window, of which two are held at once:
#: one is handed out while the next one is fetched.
_PAGE = 512

#: A window ends early at about so many bytes of masks, as they are stored: crowds are large.
_HELD_BYTES = 8 * 1024 * 1024

#: Mask objects fetched side by side.
_FETCHES = 8


@dataclass(frozen=True)
class BatchView:
    """A batch as it is read: which one, what it asked for, and which instances count."""

    batch_id: UUID
    spec: BatchSpec
    rule: ReadingRule

    @property
    def categories(self) -> tuple[str, ...]:
        """What its masks are of, by ``Found.prompt_index``; a name may be there twice."""
        return self.spec.categories


#: What one image is made from: a row of each batch that has it.
_Parts: TypeAlias = list[tuple[BatchView, DoneJob]]
#: Jobs of the batches after the first that no image was made from yet, by name.
_Waiting: TypeAlias = list[tuple[BatchView, dict[str, DoneJob]]]
#: Mask objects that are there or on their way, by batch and ``masks_key``.
_Chunks: TypeAlias = dict[tuple[UUID, str], Future[StoredChunk]]


def view(
    database: Database,
    batch_id: UUID,
    changes: ReadingChanges = NO_CHANGES,
) -> BatchView:
    """A batch with its own reading settings, or with others; no image is segmented again for them.

    Args:
        database: The pool's database.
        batch_id: Which.
        changes: What counts instead of what the batch says itself.

    Raises:
        NotFound: There is no such batch.
    """
    with database.read() as session:
        stored = lookup.question(session, batch_id)
    return view_of(batch_id, stored, changes)


def view_of(
    batch_id: UUID, stored: StoredQuestion, changes: ReadingChanges = NO_CHANGES
) -> BatchView:
    """As ``view``, of a question that was read already."""
    spec = BatchSpec.read(stored.spec)
    reading = changes.made_to(reading_of(stored.spec, stored.reading))
    return BatchView(batch_id, spec, reading.rule_for([prompt.name for prompt in spec.prompts]))


def read_images(
    database: Database, store: ObjectStore, views: Sequence[BatchView], skip: int = 0
) -> MergedImages:
    """Every image that is DONE in at least one of the batches, with what counts in it.

    Several batches over one source are merged by name: the class that was forgotten joins the
    others. The first batch is streamed in its own order; of the others the places of the masks are
    held in memory, half a kilobyte an image.

    Args:
        database: The pool's database.
        store: Where the masks lie.
        views: At least one.
        skip: So many images at the beginning are left out; only their rows are read.

    Raises:
        CorruptObject: While it is read: a mask object is damaged or gone; names it.
        Conflict: While it is read: two batches saw different pictures under one name.
        Unreachable: Database or store is away.
    """
    images = MergedImages(database, store, views)
    images.leave_out(skip)
    return images


def merged_categories(views: Sequence[BatchView]) -> list[str]:
    """The categories of all batches, each once, in order of appearance."""
    return list(dict.fromkeys(name for view in views for name in view.categories))


def read_failures(database: Database, batch_id: UUID) -> Iterator[Failure]:
    """Every image that FAILED, and why."""

    def page(session: Session, after: int) -> Sequence[JobRow]:
        return jobs.page(session, batch_id, after=after, states=[JobState.FAILED], limit=_PAGE)

    for job in chain.from_iterable(pages(database, page)):
        yield Failure(job.name, job.error or "no reason was recorded")


def _done(database: Database, batch_id: UUID) -> Iterator[DoneJob]:
    def page(session: Session, after: int) -> Sequence[DoneJob]:
        return jobs.done_page(session, batch_id, after=after, limit=_PAGE)

    return chain.from_iterable(pages(database, page))


def _planned(database: Database, views: Sequence[BatchView]) -> Iterator[_Parts]:
    first, *others = views
    waiting = [(view, {job.name: job for job in _done(database, view.batch_id)}) for view in others]
    for job in _done(database, first.batch_id):
        yield [(first, job), *_taken(waiting, job.name)]
    for place, (view, by_name) in enumerate(waiting, 1):
        for job in by_name.values():
            yield [(view, job), *_taken(waiting[place:], job.name)]


def _taken(waiting: _Waiting, name: str) -> _Parts:
    return [(view, by_name.pop(name)) for view, by_name in waiting if name in by_name]


class MergedImages:
    """The images of some batches, one after the other; see ``ImageStream``.

    Attributes:
        incomplete: Images so far that not every batch has a result of; left out ones count.
        doubled: Categories that two batches looked for in one and the same image so far.
    """

    def __init__(self, database: Database, store: ObjectStore, views: Sequence[BatchView]) -> None:
        self._store = store
        self._planned = _planned(database, views)
        self._hash = hashlib.sha256()
        self._batches = len(views)
        self.incomplete = 0
        self.doubled: set[str] = set()
        for view in views:
            self._hash.update(f"{view.batch_id} {view.rule}\n".encode())

    @property
    def fingerprint(self) -> str:
        """See ``ImageStream``."""
        return self._hash.hexdigest()

    def leave_out(self, count: int) -> None:
        """Pass over the next images; only their rows are read."""
        for parts in islice(self._planned, count):
            self._count(parts)

    def __iter__(self) -> Iterator[ImageResult]:
        pool = ThreadPoolExecutor(_FETCHES, "masks")
        try:
            for window, chunks in self._fetched(pool):
                for parts in window:
                    self._count(parts)
                    yield _image(parts, chunks)
        finally:
            pool.shutdown(cancel_futures=True)

    def _count(self, parts: _Parts) -> None:
        self.incomplete += len(parts) < self._batches
        if len(parts) > 1:
            names = Counter(name for view, _ in parts for name in set(view.categories))
            self.doubled.update(name for name, count in names.items() if count > 1)
        self._hash.update(f"{[(view.batch_id.hex, *job) for view, job in parts]}\n".encode())

    def _fetched(self, pool: ThreadPoolExecutor) -> Iterator[tuple[list[_Parts], _Chunks]]:
        """Images and the mask objects they need; the next ones are fetched meanwhile."""
        ahead: deque[tuple[list[_Parts], _Chunks]] = deque()
        chunks: _Chunks = {}
        while window := self._window():
            asked = {(view.batch_id, job.masks_key) for parts in window for view, job in parts}
            # An object that reaches from one window into the next is fetched once.
            chunks = {one: chunks.get(one) or pool.submit(self._fetch, *one) for one in asked}
            ahead.append((window, chunks))
            if len(ahead) > 1:
                yield ahead.popleft()
        yield from ahead

    def _window(self) -> list[_Parts]:
        """The next images, as many as are held at once; none at the end."""
        window, size = [], 0
        for parts in islice(self._planned, _PAGE):
            window.append(parts)
            size += sum(job.masks_length for _, job in parts)
            if size > _HELD_BYTES:
                break
        return window

    def _fetch(self, batch_id: UUID, masks_key: str) -> StoredChunk:
        try:
            return masks.read_chunk(self._store, batch_id, masks_key)
        except NotFound as error:
            raise CorruptObject(
                f"the masks of batch {batch_id} are incomplete: {error}; was the store emptied?"
            ) from None


def _image(parts: _Parts, chunks: _Chunks) -> ImageResult:
    records = [(view, _record(job, chunks[view.batch_id, job.masks_key])) for view, job in parts]
    _refuse_different_pictures(records)
    (view, job), seen = parts[0], records[0][1]
    found = [(Drawn(record.model, record.tiled), counting(one, record)) for one, record in records]
    return ImageResult(
        seq=job.seq,
        name=job.name,
        uri=job.image_uri,
        width=job.width,
        height=job.height,
        instances=tuple(one for _, some in found for one in some),
        tiled=next((record.tiled for _, record in records if record.tiled is not None), None),
        origin=Origin(view.batch_id, seen.model, seen.image_sha256),
        drawn=tuple(drawn for drawn, some in found for _ in some),
    )


def _record(job: DoneJob, chunk: Future[StoredChunk]) -> MaskRecord:
    record = chunk.result().job(job.masks_offset, job.masks_length)
    if record.seq != job.seq:
        raise CorruptObject(f"{job.name} is missing from its mask object {job.masks_key}")
    return record


def _refuse_different_pictures(records: Sequence[tuple[BatchView, MaskRecord]]) -> None:
    """Batches are merged by name; masks of another picture of that name would lie beside things."""
    (first, seen), *others = records
    for view, record in others:
        if record.picture != seen.picture:
            raise Conflict(
                f"{seen.name} is another picture in batch {view.batch_id} "
                f"({_described(record)}) than in batch {first.batch_id} ({_described(seen)}); "
                "export the batches one by one, or submit the changed images again",
                code="export.pictures",
                params={"name": seen.name},
            )


def _described(record: MaskRecord) -> str:
    return f"{record.width} × {record.height}, SHA-256 {record.image_sha256[:8]}…"


def counting(view: BatchView, record: MaskRecord) -> list[LabelledInstance]:
    """What counts in one image, under its categories."""
    return labelled(view, record, view.rule.admitted(record.instances))


def labelled(
    view: BatchView, record: MaskRecord, chosen: Sequence[Instance]
) -> list[LabelledInstance]:
    """Some of the instances that are stored of one image, under their categories."""
    names = view.categories

    def category(instance: Instance) -> str:
        return names[instance.found.prompt_index]

    def with_category(instance: Instance) -> LabelledInstance:
        place = instance.contender
        rival = None if place is None else category(record.instances[place])
        return LabelledInstance(category(instance), instance, rival)

    return [with_category(instance) for instance in chosen]
