"""What can be done with the clerk's tasks: ask for one, find it, list them, give one up."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import tasks
from db.models import TaskRow
from maskpool.errors import NotFound
from maskpool.tasks import TaskKind
from producer.pool import Pool


def create(
    session: Session,
    kind: TaskKind,
    args: dict[str, Any],
    *,
    user_id: int | None = None,
    team_id: UUID | None = None,
    batch_id: UUID | None = None,
) -> UUID:
    """Ask for something inside the caller's transaction; call ``pool.wake()`` after COMMIT.

    Args:
        session: If its transaction is rolled back, nothing was asked.
        kind: Of the task.
        args: As the kind's module in ``clerk/work`` reads them; JSON.
        user_id: Who asks; None where the pool itself does.
        team_id: Whose members see it, too.
        batch_id: What it is about, where that is a batch.
    """
    return tasks.create(session, kind, args, user_id=user_id, team_id=team_id, batch_id=batch_id)


def find(pool: Pool, task_id: UUID) -> TaskRow:
    """A task's row, detached from its session.

    Raises:
        NotFound: There is no such task, or it was cleared away.
    """
    with pool.database.read() as session:
        row = tasks.find(session, task_id)
    if row is None:
        raise NotFound(f"there is no task {task_id}")
    return row


def listing(
    pool: Pool,
    *,
    user_id: int | None = None,
    team_ids: Collection[UUID] | None = None,
    batch_id: UUID | None = None,
    after: tuple[int, UUID] | None = None,
    limit: int = 100,
) -> list[TaskRow]:
    """Tasks, newest first.

    Args:
        pool: Where they are.
        user_id: Whose.
        team_ids: And those of these teams; None: everybody's.
        batch_id: Only those of one batch; None: of all.
        after: ``created_at`` and id of the task before the page; None at the beginning.
        limit: At most so many.
    """
    with pool.database.read() as session:
        return tasks.listing(
            session,
            user_id=user_id,
            team_ids=team_ids,
            batch_id=batch_id,
            after=after,
            limit=limit,
        )


def cancel(pool: Pool, task_id: UUID) -> None:
    """Give a task up; what it had made so far is cleared away by the hourly sweep.

    Raises:
        NotFound: There is no such task.
        Conflict: It has ended already.
    """
    with pool.database.write() as session:
        tasks.cancel(session, task_id)
