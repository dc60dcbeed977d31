"""Deleting batches and uploads: rows in blocks, then objects; whoever dies on the way is followed.

Rows go first: an object without a row is garbage, a row without its object is a lie.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from uuid import UUID

from sqlalchemy.orm import Session

from db import removal
from db.session import Database
from maskpool import failpoints
from maskpool.domain import ObjectInfo
from maskpool.ports import ObjectStore
from producer.blocks import rest
from storage.objects import keys

#: Objects deleted between two steps.
_OBJECTS = 1_000

#: Called between two blocks with the rows and the objects that are gone so far.
OnDeleted = Callable[[int, int], None]


def _no_step(rows: int, objects: int) -> None:
    """Nobody wants to know."""


def delete_marked(
    database: Database, store: ObjectStore, batch_id: UUID, on_step: OnDeleted = _no_step
) -> tuple[int, int]:
    """Clear away a batch that is marked as deleted; see ``db.removal.mark_deleted``.

    Args:
        database: The pool's database.
        store: The pool's store.
        batch_id: Which; one that is gone already is no error.
        on_step: Called between two blocks; what it raises ends the deletion, which can be gone on
            with at any time.

    Returns:
        How many rows and how many objects went.

    Raises:
        Unreachable: Database or store is away.
    """
    rows = delete_rows(database, batch_id, lambda rows: on_step(rows, 0))
    failpoints.reach("delete.rows")
    prefixes = (
        keys.masks_prefix(batch_id),
        keys.sources_prefix(batch_id),
        keys.thumbs_prefix(batch_id),
    )
    return rows, delete_objects(store, prefixes, lambda objects: on_step(rows, objects))


def delete_rows(
    database: Database, batch_id: UUID, on_step: Callable[[int], object] = lambda _: None
) -> int:
    """Delete every row of a batch that is marked as deleted; returns how many of them were many.

    Args:
        database: The pool's database.
        batch_id: Which.
        on_step: Called between two blocks with the rows that are gone so far.
    """
    rows = 0
    for remove in (removal.remove_instances, removal.remove_jobs):
        after: int | None = -1
        while after is not None:
            with database.write() as session:
                cut = remove(session, batch_id, after=after)
            rest(database)
            failpoints.reach("delete.block")
            after, rows = cut.last, rows + cut.rows
            on_step(rows)
    whole = True
    while whole:
        with database.write() as session:
            gone = removal.remove_uncertainties(session, batch_id)
        rest(database)
        whole, rows = gone >= removal.BLOCK, rows + gone
        on_step(rows)
    with database.write() as session:
        removal.remove_batch(session, batch_id)
    return rows


def delete_upload(
    database: Database,
    store: ObjectStore,
    upload_id: UUID,
    *,
    fence: Callable[[Session], None] = lambda _: None,
    on_step: OnDeleted = _no_step,
) -> int:
    """Delete an upload of which no batch was made; returns how many objects went.

    Args:
        database: The pool's database.
        store: The pool's store.
        upload_id: Which; of one whose row is gone already, what is left of its files goes.
        fence: Called in the transaction that deletes its rows.
        on_step: As above.

    Raises:
        Conflict: A batch was made of it.
        Unreachable: Database or store is away.
    """
    with database.write() as session:
        fence(session)
        removal.remove_upload(session, upload_id)
    prefixes = (
        keys.upload_prefix(upload_id),
        keys.parts_prefix(upload_id),
        keys.thumbs_prefix(upload_id),
    )
    return delete_objects(store, prefixes, lambda objects: on_step(0, objects))


def delete_objects(
    store: ObjectStore, prefixes: tuple[str, ...], on_step: Callable[[int], object]
) -> int:
    """Delete everything below some prefixes; returns how many objects that were."""
    gone = 0
    for prefix in prefixes:
        listed = store.list(prefix)
        # A block is read before it is deleted: nobody lists a folder that changes meanwhile.
        while block := list[ObjectInfo](islice(listed, _OBJECTS)):
            gone += store.delete(one.key for one in block)
            on_step(gone)
    return gone
