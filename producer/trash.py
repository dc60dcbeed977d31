"""The trash: what somebody deleted at the door, listed, had back, or cleared away at once."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from db import trash
from db.seen import Filter, Place, SeenBatch
from db.trash import Times
from producer import visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool


@dataclass(frozen=True, slots=True)
class Trashed:
    """A batch in the trash.

    Attributes:
        batch: Which.
        times: None where somebody took it out while it was listed.
    """

    batch: SeenBatch
    times: Times | None


def put(pool: Pool, caller: Caller, batch_id: UUID) -> UUID:
    """Delete a batch: nobody sees it any more, and the clerk clears it away in a day.

    One that still runs is cancelled. Returns the clerk's task.

    Raises:
        NotFound: There is no such batch, or it was deleted already.
        Refused: The caller may see it, and not delete it.
    """
    visible.find_batch(pool, caller, batch_id, Right.DELETE)
    with pool.database.write() as session:
        task_id = trash.put(session, batch_id, caller.user_id)
    pool.wake()
    return task_id


def listing(pool: Pool, caller: Caller, *, after: Place | None, limit: int) -> list[Trashed]:
    """Batches in the trash that a caller could see before; those made last come first."""
    found = visible.list_batches(pool, caller, Filter(), after=after, limit=limit, in_trash=True)
    with pool.database.read() as session:
        times = trash.times(session, [one.batch_id for one in found])
    return [Trashed(one, times.get(one.batch_id)) for one in found]


def restore(pool: Pool, caller: Caller, batch_id: UUID) -> SeenBatch:
    """Let a batch be seen again.

    Raises:
        NotFound: It does not lie in the trash, or is being cleared away.
        Refused: The caller may see it, and not delete it.
    """
    visible.find_batch(pool, caller, batch_id, Right.DELETE, in_trash=True)
    with pool.database.write() as session:
        trash.restore(session, batch_id)
    return visible.find_batch(pool, caller, batch_id, Right.DELETE)


def clear_now(pool: Pool, caller: Caller, batch_id: UUID) -> UUID:
    """Have the clerk clear a batch of the trash away at once; returns its task.

    Raises:
        NotFound: It does not lie in the trash, or is being cleared away.
        Refused: The caller may see it, and not delete it.
    """
    visible.find_batch(pool, caller, batch_id, Right.DELETE, in_trash=True)
    with pool.database.write() as session:
        task_id = trash.clear_now(session, batch_id)
    pool.wake()
    return task_id
