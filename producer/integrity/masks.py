"""Checking mask objects: each is read once and compared with the rows of its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from db import integrity, jobs
from db.models import InstanceRow, JobRow
from db.session import Database
from maskpool.domain import JobState
from maskpool.errors import CorruptObject, NotFound
from maskpool.ports import ObjectStore
from maskpool.text import counted
from producer.integrity.findings import Finding, Kind, Tally
from producer.integrity.instances import difference
from storage.objects import keys, masks
from storage.objects.masks import StoredRecord

#: DONE jobs read at once.
_PAGE = 512

#: Mask objects fetched side by side, and held at once.
_FETCHES = 8


def check_masks(
    database: Database, store: ObjectStore, batch_id: UUID, categories: int, tally: Tally
) -> Iterator[Finding]:
    """Every DONE job's key names one valid object, and each object holds just its rows' jobs.

    Args:
        database: The pool's database.
        store: Where the masks lie.
        batch_id: Whose.
        categories: How many the batch has: prompts, and classes of objects.
        tally: Counts what is read, while it is read.
    """
    with ThreadPoolExecutor(_FETCHES, "verify") as pool:
        checker = _Checker(database, store, batch_id, categories, tally, pool)
        after = -1
        while True:
            with database.read() as session:
                page = jobs.page(
                    session, batch_id, after=after, states=[JobState.DONE], limit=_PAGE
                )
            if not page:
                return
            yield from checker.check(page)
            after = page[-1].seq


@dataclass(frozen=True, slots=True)
class _Read:
    """One object, or why there is none, and the rows of the page that name it."""

    masks_key: str
    asking: tuple[JobRow, ...]
    stored: tuple[StoredRecord, ...] = ()
    trouble: NotFound | CorruptObject | None = None

    @property
    def seqs(self) -> set[int]:
        return {job.seq for job in self.asking} | {stored.record.seq for stored in self.stored}


@dataclass(slots=True)
class _Checker:
    """Walks the jobs of one batch in order; remembers only objects that reach into later pages."""

    database: Database
    store: ObjectStore
    batch_id: UUID
    #: How many the batch has.
    categories: int
    tally: Tally
    pool: ThreadPoolExecutor
    #: Jobs of later pages whose object, and row, was compared already.
    compared: dict[str, set[int]] = field(default_factory=dict)

    def check(self, page: Sequence[JobRow]) -> Iterator[Finding]:
        """Compare the objects of a page of DONE jobs."""
        asking: dict[str, list[JobRow]] = {}
        for job in page:
            if job.masks_key is not None and not self._was_compared(job.masks_key, job.seq):
                asking.setdefault(job.masks_key, []).append(job)
        names = iter(asking)
        while some := list(islice(names, _FETCHES)):
            read = list(self.pool.map(lambda key: self._read(key, asking[key]), some))
            yield from self._compare_all(read, page[-1].seq)

    def _was_compared(self, masks_key: str, seq: int) -> bool:
        left = self.compared.get(masks_key)
        if left is None or seq not in left:
            return False
        left.remove(seq)
        if not left:
            del self.compared[masks_key]
        return True

    def _read(self, masks_key: str, asking: Sequence[JobRow]) -> _Read:
        if keys.chunk_of(masks_key) is None:
            error = CorruptObject(f"{masks_key[:100]!r} is no key of a mask object")
            return _Read(masks_key, tuple(asking), trouble=error)
        try:
            stored = tuple(masks.read_chunk(self.store, self.batch_id, masks_key).records())
        except (NotFound, CorruptObject) as error:
            return _Read(masks_key, tuple(asking), trouble=error)
        return _Read(masks_key, tuple(asking), stored)

    def _compare_all(self, objects: Sequence[_Read], page_end: int) -> Iterator[Finding]:
        """The rows are read after the objects: a batch that was removed has none by then."""
        seqs = sorted({seq for one in objects for seq in one.seqs})
        with self.database.snapshot() as session:
            rows = integrity.jobs_at(session, self.batch_id, seqs)
            instances = integrity.instances_at(session, self.batch_id, seqs)
        for one in objects:
            if not any(job.seq in rows for job in one.asking):
                continue
            self.tally.objects += one.trouble is None
            yield from self._compare(one, rows, instances)
            later = {stored.record.seq for stored in one.stored if stored.record.seq > page_end}
            if later:
                self.compared[one.masks_key] = later

    def _compare(
        self, one: _Read, rows: dict[int, JobRow], instances: dict[int, list[InstanceRow]]
    ) -> Iterator[Finding]:
        subject = keys.mask_object(self.batch_id, one.masks_key)
        if one.trouble is not None:
            gone = isinstance(one.trouble, NotFound)
            kind = Kind.MISSING_OBJECT if gone else Kind.DAMAGED_OBJECT
            first, *others = one.asking
            also = f" and {counted(len(others), 'more job')}" if others else ""
            verb = "point" if others else "points"
            sentence = f"job {first.seq}{also} {verb} to it, but {one.trouble}"
            yield Finding(kind, self.batch_id, subject, sentence)
            return
        held = [stored.record.seq for stored in one.stored]
        for seq in sorted({seq for seq in held if held.count(seq) > 1}):
            yield Finding(Kind.PLACE, self.batch_id, subject, f"it holds job {seq} twice")
        for job in one.asking:
            if job.seq not in held:
                sentence = f"job {job.seq} points to it, but it does not hold that job"
                yield Finding(Kind.PLACE, self.batch_id, subject, sentence)
        for stored in one.stored:
            seq = stored.record.seq
            row = rows.get(seq)
            if row is None or row.masks_key != one.masks_key or row.state != JobState.DONE:
                sentence = f"it holds job {seq}, whose row does not point to it"
                yield Finding(Kind.PLACE, self.batch_id, subject, sentence)
                continue
            yield from self._compare_job(stored, row, instances.get(seq, []))

    def _compare_job(
        self, stored: StoredRecord, job: JobRow, instances: Sequence[InstanceRow]
    ) -> Iterator[Finding]:
        record = stored.record
        self.tally.instances += len(record.instances)
        row = (job.masks_offset, job.masks_length, job.name, job.width, job.height)
        there = (stored.offset, stored.length, record.name, record.width, record.height)
        if row != there:
            sentence = (
                "offset, length, name, width and height are "
                f"{row} in its row, but {there} in {job.masks_key}"
            )
            yield Finding(Kind.PLACE, self.batch_id, f"job {job.seq}", sentence)
        fault = difference(job, record, instances, self.categories)
        if fault:
            yield Finding(Kind.INSTANCES, self.batch_id, f"job {job.seq}", fault)
