"""Reading a batch back: finished images with their masks, failures, counts, and the time to go."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from db import batches, instances, jobs
from db.models import JobRow
from db.session import Database
from maskpool.domain import JobState, Progress, ReadingRule
from maskpool.errors import CorruptObject, NotFound
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.reading import Failure, ImageResult, LabelledInstance
from storage import masks
from storage.masks import MaskRecord

#: Jobs read in one short transaction.
_PAGE = 512

#: Mask objects fetched side by side.
_FETCHES = 8

#: Seconds of progress that the present speed is measured over.
_SPEED_WINDOW = 20.0


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as it is read: which one, what it asked for, and which instances count."""

    batch_id: UUID
    spec: BatchSpec
    rule: ReadingRule

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the prompts, in order."""
        return tuple(prompt.name for prompt in self.spec.prompts)


def view(
    database: Database,
    batch_id: UUID,
    *,
    threshold: float | None = None,
    max_overlap: float | None = None,
) -> BatchView:
    """A batch under its own reading settings, or under others: that costs no GPU.

    Args:
        database: The truth.
        batch_id: Which.
        threshold: Least score instead of the batch's own.
        max_overlap: Most overlap instead of the batch's own; 1 keeps every duplicate.

    Raises:
        NotFound: There is no such batch.
    """
    with database.read() as session:
        stored, _ = batches.spec_and_source(session, batch_id)
    spec = BatchSpec.read(stored)
    changes = {"threshold": threshold, "max_overlap": max_overlap}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = spec.settings.model_validate({**spec.settings.model_dump(), **given})
    return BatchView(batch_id, spec, settings.rule())


def read_images(
    database: Database, store: ObjectStore, views: Sequence[BatchView]
) -> Iterator[ImageResult]:
    """Every image that is DONE in at least one of the batches, with what counts in it.

    Several batches over one source are merged by name: the class that was forgotten joins the
    others. The first batch is streamed in its own order; of the others the places of the masks are
    held in memory, about 300 bytes an image.

    Raises:
        CorruptObject: A mask object is damaged or gone; names it.
        Unreachable: Database or store is away.
    """
    first, *others = views
    with ThreadPoolExecutor(_FETCHES, "masks") as pool:
        reader = _Reader(store, pool)
        waiting = [{job.name: job for job in _done(database, other.batch_id)} for other in others]
        for page in _pages(database, first.batch_id):
            rows = [(first, job) for job in page]
            for other, by_name in zip(others, waiting, strict=True):
                rows += [(other, by_name.pop(job.name)) for job in page if job.name in by_name]
            yield from _merged(rows, reader)
        for place, (other, by_name) in enumerate(zip(others, waiting, strict=True)):
            later = list(zip(others[place + 1 :], waiting[place + 1 :], strict=True))
            for job in by_name.values():
                rows = [(other, job)]
                rows += [(view, names.pop(job.name)) for view, names in later if job.name in names]
                yield from _merged(rows, reader)


def merged_categories(views: Sequence[BatchView]) -> list[str]:
    """The categories of all batches, each once, in order of appearance."""
    return list(dict.fromkeys(name for view in views for name in view.categories))


def read_failures(database: Database, batch_id: UUID) -> Iterator[Failure]:
    """Every image that FAILED, and why."""
    for page in _pages(database, batch_id, JobState.FAILED):
        for job in page:
            yield Failure(job.name, job.error or "no reason was recorded")


def count_instances(database: Database, view: BatchView) -> dict[str, int]:
    """How many instances of each category count, from their rows alone."""
    with database.read() as session:
        counts = instances.count_by_prompt(session, view.batch_id, view.rule)
    return {name: counts.get(index, 0) for index, name in enumerate(view.categories)}


def _pages(
    database: Database, batch_id: UUID, state: JobState = JobState.DONE
) -> Iterator[list[JobRow]]:
    after = -1
    while True:
        with database.read() as session:
            page = jobs.page(session, batch_id, after=after, states=[state], limit=_PAGE)
        if not page:
            return
        yield page
        after = page[-1].seq


def _done(database: Database, batch_id: UUID) -> Iterator[JobRow]:
    for page in _pages(database, batch_id):
        yield from page


class _Reader:
    """Reads mask objects whole, each once for the jobs of it that are asked for together."""

    def __init__(self, store: ObjectStore, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool

    def records(
        self, rows: Sequence[tuple[BatchView, JobRow]]
    ) -> Mapping[tuple[UUID, int], MaskRecord]:
        objects = {(view.batch_id, job.masks_key or "") for view, job in rows}
        read = self._pool.map(self._read, sorted(objects))
        return {
            (batch_id, record.seq): record
            for (batch_id, _), found in zip(sorted(objects), read, strict=True)
            for record in found
        }

    def _read(self, which: tuple[UUID, str]) -> list[MaskRecord]:
        batch_id, masks_key = which
        try:
            return masks.read_chunk(self._store, batch_id, masks_key)
        except NotFound as error:
            raise CorruptObject(
                f"the masks of batch {batch_id} are incomplete: {error}; was the store emptied?"
            ) from None


def _merged(rows: Sequence[tuple[BatchView, JobRow]], reader: _Reader) -> Iterator[ImageResult]:
    records = reader.records(rows)
    by_name: dict[str, list[tuple[BatchView, JobRow]]] = {}
    for view, job in rows:
        by_name.setdefault(job.name, []).append((view, job))
    for name, parts in by_name.items():
        found: list[LabelledInstance] = []
        for view, job in parts:
            record = records.get((view.batch_id, job.seq))
            if record is None:
                raise CorruptObject(f"{name} is missing from its mask object {job.masks_key}")
            found += _labelled(view, record)
        job = parts[0][1]
        yield ImageResult(
            seq=job.seq,
            name=name,
            uri=job.image_uri,
            width=job.width or 0,
            height=job.height or 0,
            instances=tuple(found),
        )


def _labelled(view: BatchView, record: MaskRecord) -> list[LabelledInstance]:
    return [
        LabelledInstance(view.categories[instance.found.prompt_index], instance)
        for instance in record.instances
        if view.rule.admits(instance)
    ]


class Speed:
    """Images a second and the time to go, from progress seen now and then."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, progress: Progress) -> tuple[float | None, float | None]:
        """Note the progress; returns images a second and seconds to go, None while unknown."""
        now, ended = time.monotonic(), progress.done + progress.failed
        self._seen.append((now, ended))
        while now - self._seen[0][0] > _SPEED_WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        if ended == before:
            return None, None
        rate = (ended - before) / (now - since)
        return rate, progress.remaining / rate
