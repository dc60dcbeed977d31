"""The checker: reads one batch, or everything that is stored, and says what is wrong.

It is safe beside a pool at work, for two reasons. What rows say of each other is read in one
snapshot a batch, which takes seconds and sees one moment of it. What objects hold is compared with
rows in short transactions a page, as a DONE job and its object never change any more; only removing
the batch can take them away, so an object that looks missing is checked once more against the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from db import integrity, lookup
from db.session import Database
from maskpool.errors import SpecError
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.integrity.findings import Finding, Kind, Tally
from producer.integrity.masks import check_masks
from producer.integrity.orphans import find_orphans
from producer.integrity.rows import LAPSED_MS, check_rows
from storage.objects import keys

#: Batches listed at once, and rows without a batch that are named of each table.
_PAGE = 2_000


def verify(
    database: Database,
    store: ObjectStore,
    batch_id: UUID | None = None,
    tally: Tally | None = None,
) -> Iterator[Finding]:
    """Check one batch, or all and what belongs to none; nothing found means nothing is wrong.

    Memory is bounded by a page of jobs, the chunks in flight and a few mask objects, whatever the
    batch's size. Read the findings to their end, and without long pauses: a snapshot may be open.

    Args:
        database: The pool's database.
        store: Where the masks lie.
        batch_id: Which batch; None for all, and for what belongs to none.
        tally: Counts what is read, while it is read.

    Raises:
        NotFound: There is no such batch.
        Unreachable: Database or store is away.
    """
    tally = Tally() if tally is None else tally
    if batch_id is not None:
        with database.read() as session:
            lookup.progress(session, batch_id)
    for one in [batch_id] if batch_id is not None else _all(database):
        with database.snapshot() as session:
            batch = integrity.batch(session, one)
            # Removed since it was listed, or being removed: rows of it are missing on purpose.
            if batch is None or batch.deleted_at is not None:
                continue
            tally.batches += 1
            yield from check_rows(session, batch, tally)
            spec = batch.spec
        try:
            categories = len(BatchSpec.read(spec).categories)
        except SpecError as error:
            sentence = f"its spec cannot be read, and its masks are not checked: {error}"
            yield Finding(Kind.SPEC, one, "spec", sentence)
            continue
        yield from check_masks(database, store, one, categories, tally)
    if batch_id is None:
        yield from _rows_of_no_batch(database)
        yield from _tasks(database)
    for orphan in find_orphans(database, store, batch_id):
        sentence = f"no row names this object of {orphan.size:,} bytes; maskpool gc deletes it"
        yield Finding(Kind.ORPHAN, keys.batch_of(orphan.key), orphan.key, sentence)


def _rows_of_no_batch(database: Database) -> Iterator[Finding]:
    with database.read() as session:
        for table, gone in integrity.rows_of_no_batch(session, limit=_PAGE):
            yield Finding(Kind.NO_BATCH, gone, table, f"{table} has rows of a batch that is gone")


def _tasks(database: Database) -> Iterator[Finding]:
    with database.read() as session:
        for task_id, sentence in integrity.broken_tasks(session, limit=_PAGE):
            yield Finding(Kind.TASK, None, f"task {task_id}", sentence)
        for task_id in integrity.lapsed_tasks(session, since_ms=LAPSED_MS, limit=_PAGE):
            sentence = "its lease lapsed minutes ago; does a dispatcher run?"
            yield Finding(Kind.LAPSED, None, f"task {task_id}", sentence)
        for upload_id, batch_id in integrity.uses_of_no_batch(session, limit=_PAGE):
            sentence = "it is kept for a batch that is gone"
            yield Finding(Kind.UPLOAD, batch_id, f"upload {upload_id}", sentence)


def _all(database: Database) -> Iterator[UUID]:
    after: UUID | None = None
    while True:
        with database.read() as session:
            page = integrity.batch_ids(session, after, _PAGE)
        if not page:
            return
        yield from page
        after = page[-1]
