"""The trash: batches that were deleted at the door, and can be had back for a day.

Such a batch is marked as deleted, and its deletion is a task that begins a day later. Whoever takes
that task first decides: a clerk that clears the batch away, or somebody who restores it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from db import batches, removal, tasks
from db.clock import now_ms
from db.models import BatchRow, TaskRow
from maskpool.domain import BatchState
from maskpool.errors import NotFound
from maskpool.tasks import TRASH_MS, TaskKind, TaskState

#: A deletion that nobody has begun, and that waits for its time.
_WAITS = and_(
    TaskRow.kind == TaskKind.DELETE,
    TaskRow.state == TaskState.WAITING,
    TaskRow.attempts == 0,
    TaskRow.next_at.is_not(None),
)


class Times(NamedTuple):
    """When a batch was deleted, and when it is cleared away; milliseconds of the database."""

    deleted_at: int
    until: int


def is_there() -> ColumnElement[bool]:
    """Whether a row of ``batches`` lies in the trash."""
    waits = select(TaskRow.id).where(TaskRow.batch_id == BatchRow.id, _WAITS).exists()
    return and_(BatchRow.deleted_at.is_not(None), ~BatchRow.scratch, waits)


def put(session: Session, batch_id: UUID, user_id: int) -> UUID:
    """Have nobody see a batch any more, and clear it away in a day; returns the clerk's task.

    Raises:
        NotFound: There is no such batch, or it was deleted already.
    """
    removal.mark_deleted(session, batch_id)
    args = {"batch": str(batch_id)}
    task_id = tasks.create(
        session, TaskKind.DELETE, args, user_id=user_id, team_id=None, batch_id=batch_id
    )
    session.execute(
        update(TaskRow).where(TaskRow.id == task_id).values(next_at=now_ms() + TRASH_MS)
    )
    return task_id


def times(session: Session, batch_ids: Collection[UUID]) -> dict[UUID, Times]:
    """Of those of some batches that lie in the trash."""
    rows = session.execute(
        select(BatchRow.id, BatchRow.deleted_at, TaskRow.next_at)
        .join(TaskRow, TaskRow.batch_id == BatchRow.id)
        .where(BatchRow.id.in_(batch_ids), BatchRow.deleted_at.is_not(None), _WAITS)
    )
    return {row.id: Times(row.deleted_at, row.next_at) for row in rows}


def restore(session: Session, batch_id: UUID) -> None:
    """Let a batch be seen again. One that was at work stays cancelled; its key stays free.

    Raises:
        NotFound: It does not lie in the trash, or is being cleared away.
    """
    session.execute(select(BatchRow.id).where(BatchRow.id == batch_id).with_for_update())
    given_up = session.scalars(
        update(TaskRow)
        .where(TaskRow.batch_id == batch_id, _WAITS)
        .values(**tasks.ended(TaskState.CANCELLED))
        .returning(TaskRow.id)
    ).all()
    if not given_up:
        raise NotFound(f"there is no batch {batch_id} in the trash; it stays there for a day")
    state = session.scalar(
        update(BatchRow)
        .where(BatchRow.id == batch_id)
        .values(deleted_at=None)
        .returning(BatchRow.state)
    )
    if state == BatchState.CANCELLED:
        batches.cancel_jobs(session, batch_id)


def clear_now(session: Session, batch_id: UUID) -> UUID:
    """Have the clerk clear a batch of the trash away at once; returns its task.

    Raises:
        NotFound: It does not lie in the trash, or is being cleared away.
    """
    task_id: UUID | None = session.scalar(
        update(TaskRow)
        .where(TaskRow.batch_id == batch_id, _WAITS)
        .values(next_at=None)
        .returning(TaskRow.id)
    )
    if task_id is None:
        raise NotFound(f"there is no batch {batch_id} in the trash; it stays there for a day")
    return task_id
