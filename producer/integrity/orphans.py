"""Collecting objects that no row names: of what is gone, and of uploads that were lost.

Workers delete nothing, so this is the one place where the store gets smaller (beside ``rm``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from sqlalchemy.orm import Session

from db import integrity
from db.session import Database
from maskpool.domain import ObjectInfo
from maskpool.ports import ObjectStore
from producer.integrity.door import unnamed_at_the_door
from storage.objects import keys

#: Objects checked in one short transaction, at the price of one scan of their batches' jobs.
_PAGE = 5_000

#: Objects whose chunk or batch is younger than this are left alone, if nothing else is said.
DEFAULT_AGE_SECONDS = 3600.0

#: No row names a file that is being written; only its age tells that its writer is dead.
_UNFINISHED_SECONDS = 3600.0


@dataclass(slots=True)
class Amount:
    """So many objects of one sort, and their bytes."""

    objects: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """One more."""
        self.objects += 1
        self.bytes += size


@dataclass(slots=True)
class Collected:
    """What a collection freed, or would have freed.

    Attributes:
        masks: Mask objects that neither a chunk nor a job names.
        sources: Uploaded images of batches that are gone.
        uploads: Files of uploads that are gone, or that no row names.
        exports: Files of data sets whose task is gone or made them not.
        thumbs: Small pictures of batches and uploads that are gone.
        leftovers: Half-written objects of writers that were killed.
        looked_at: Objects that were listed.
    """

    masks: Amount = field(default_factory=Amount)
    sources: Amount = field(default_factory=Amount)
    uploads: Amount = field(default_factory=Amount)
    exports: Amount = field(default_factory=Amount)
    thumbs: Amount = field(default_factory=Amount)
    leftovers: Amount = field(default_factory=Amount)
    looked_at: int = 0

    @property
    def total(self) -> Amount:
        """All of them together."""
        parts = (
            *(self.masks, self.sources, self.uploads),
            *(self.exports, self.thumbs, self.leftovers),
        )
        return Amount(sum(part.objects for part in parts), sum(part.bytes for part in parts))


def collect(
    database: Database,
    store: ObjectStore,
    *,
    older_than: float = DEFAULT_AGE_SECONDS,
    dry_run: bool = False,
) -> Collected:
    """Delete every orphan that is old enough; safe beside workers and submitters at work.

    Args:
        database: The pool's database.
        store: What is cleaned; objects whose keys are not ours are left alone.
        older_than: Seconds since the object's chunk, or the uploaded image's batch, was made.
        dry_run: Only count.

    Raises:
        Unreachable: Database or store is away; what was deleted until then was garbage.
    """
    collected = Collected()
    for amount, prefix in (
        (collected.masks, keys.MASKS),
        (collected.sources, keys.SOURCES),
        (collected.uploads, keys.UPLOADS),
        (collected.uploads, keys.PARTS),
        (collected.exports, keys.EXPORTS),
        (collected.thumbs, keys.THUMBS),
    ):
        for page in _pages(store, prefix):
            collected.looked_at += len(page)
            orphans = orphans_in(database, page, older_than=older_than)
            for orphan in orphans:
                amount.add(orphan.size)
            if not dry_run:
                store.delete(orphan.key for orphan in orphans)
    for size in store.sweep(max(older_than, _UNFINISHED_SECONDS), dry_run=dry_run):
        collected.leftovers.add(size)
    return collected


def find_orphans(
    database: Database, store: ObjectStore, batch_id: UUID | None = None
) -> Iterator[ObjectInfo]:
    """Every object that no row names, of one batch or of all; whatever its age."""
    prefixes = (
        (keys.MASKS, keys.SOURCES, keys.UPLOADS, keys.PARTS, keys.EXPORTS, keys.THUMBS)
        if batch_id is None
        else (
            keys.masks_prefix(batch_id),
            keys.sources_prefix(batch_id),
            keys.thumbs_prefix(batch_id),
        )
    )
    for prefix in prefixes:
        for page in _pages(store, prefix):
            yield from orphans_in(database, page)


def orphans_in(
    database: Database, listed: list[ObjectInfo], *, older_than: float = 0.0
) -> list[ObjectInfo]:
    """Those of some listed objects that no row names; see ``_unnamed_masks`` for the order."""
    with database.read() as session:
        born_before = integrity.now(session) - round(older_than * 1000) if older_than > 0 else None
        old = [one for one in listed if _old(_born_of(one.key), born_before)]
        orphans = _unnamed_masks(session, [one for one in old if keys.masks_key_of(one.key)])
        orphans += _sources_of_no_batch(
            session, [one for one in old if one.key.startswith((keys.SOURCES, keys.THUMBS))]
        )
        orphans += unnamed_at_the_door(session, old)
    return orphans


def _unnamed_masks(session: Session, listed: list[ObjectInfo]) -> list[ObjectInfo]:
    """Mask objects that neither a chunk nor a job's row names.

    The order is what makes this safe: the objects were listed, then the chunks are read, then the
    jobs. A worker uploads first, and its chunk and its jobs change together in one transaction. So
    of an object that was listed, either the chunk is still there now, or that transaction is over,
    and the jobs that are read after it name the object – or nothing ever will, because a chunk is
    closed once and its id is never used again. Read the other way round, a chunk that finished
    between the two would be named by neither, and its masks deleted.
    """
    if not listed:
        return []
    names = {one.key: keys.masks_key_of(one.key) or "" for one in listed}
    made_by = {name: keys.chunk_of(name) for name in names.values()}
    there = integrity.chunks_there(session, {chunk for chunk in made_by.values() if chunk})
    batch_ids = {batch_id for one in listed if (batch_id := keys.batch_of(one.key))}
    named = integrity.masks_named(session, batch_ids, set(made_by))
    return [
        one
        for one in listed
        if names[one.key] not in named and made_by[names[one.key]] not in there
    ]


def _sources_of_no_batch(session: Session, listed: list[ObjectInfo]) -> list[ObjectInfo]:
    """Uploaded images, and small pictures, of batches that are gone, or of uploads.

    A batch's row is there before its first upload, so a batch that is not there now was removed.
    """
    if not listed:
        return []
    owners = {one.key: batch_id for one in listed if (batch_id := _batch_of(one.key))}
    there = integrity.batches_there(session, set(owners.values()))
    there |= integrity.uploads_there(session, set(owners.values()) - there)
    return [one for one in listed if one.key in owners and owners[one.key] not in there]


def _batch_of(key: str) -> UUID | None:
    """Of an uploaded image or a small picture."""
    return keys.batch_of(key) or keys.owner_of(key)


def _born_of(key: str) -> UUID | None:
    """The id whose time is the object's age: a mask object's chunk, an image's batch."""
    name = keys.masks_key_of(key)
    return keys.chunk_of(name) if name else _batch_of(key)


def _old(made_by: UUID | None, born_before: int | None) -> bool:
    """Whether an id of ours (a UUIDv7 begins with its milliseconds) is old enough."""
    if made_by is None or made_by.version != 7:
        return False
    return born_before is None or made_by.int >> 80 <= born_before


def _pages(store: ObjectStore, prefix: str) -> Iterator[list[ObjectInfo]]:
    listing = store.list(prefix)
    while page := list(islice(listing, _PAGE)):
        yield page
