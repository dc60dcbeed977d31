"""The clerk's tasks: created, published, taken under a lease, kept, ended, given back.

As with a chunk, only the database's clock decides about leases. A task has a new ``lease_id`` each
time it is taken: the fencing token, without which nothing is written any more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, tuple_, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import TaskRow
from db.task_problems import NOTHING, Why
from maskpool.domain import new_id
from maskpool.errors import Conflict, LeaseLost, NotFound
from maskpool.tasks import KEPT_MS, TaskKind, TaskState


@dataclass(frozen=True, slots=True)
class TakenTask:
    """What a clerk holds.

    Attributes:
        lease_id: The fencing token.
        attempts: How often it was taken, this time included.
    """

    id: UUID
    lease_id: UUID
    kind: TaskKind
    args: dict[str, Any]
    user_id: int | None
    team_id: UUID | None
    batch_id: UUID | None
    attempts: int


def create(
    session: Session,
    kind: TaskKind,
    args: dict[str, Any],
    *,
    user_id: int | None,
    team_id: UUID | None,
    batch_id: UUID | None,
) -> UUID:
    """Write a task; the dispatcher publishes it once this is committed."""
    task_id = new_id()
    now = session.scalar(select(now_ms()))
    session.add(
        TaskRow(
            id=task_id,
            kind=str(kind),
            args=args,
            user_id=user_id,
            team_id=team_id,
            batch_id=batch_id,
            state=TaskState.WAITING,
            created_at=now,
        )
    )
    session.flush()
    return task_id


def take(session: Session, task_id: UUID, *, lease_ms: int) -> TakenTask | None:
    """WAITING → RUNNING under a new lease; None where it cannot be taken: drop the message then."""
    row = session.execute(
        update(TaskRow)
        .where(
            TaskRow.id == task_id,
            TaskRow.state == TaskState.WAITING,
            or_(TaskRow.next_at.is_(None), TaskRow.next_at <= now_ms()),
        )
        .values(
            state=TaskState.RUNNING,
            lease_id=new_id(),
            lease_until=now_ms() + lease_ms,
            attempts=TaskRow.attempts + 1,
            next_at=None,
        )
        .returning(
            *(TaskRow.id, TaskRow.lease_id, TaskRow.kind, TaskRow.args),
            *(TaskRow.user_id, TaskRow.team_id, TaskRow.batch_id, TaskRow.attempts),
        )
    ).one_or_none()
    if row is None:
        return None
    task, lease, kind, *rest = row
    return TakenTask(task, lease, TaskKind(kind), *rest)


def _mine(task_id: UUID, lease_id: UUID) -> ColumnElement[bool]:
    return and_(
        TaskRow.id == task_id, TaskRow.state == TaskState.RUNNING, TaskRow.lease_id == lease_id
    )


def _write(session: Session, task_id: UUID, lease_id: UUID, values: dict[str, Any]) -> None:
    """Write to a task that is still ours; its row stays locked until the transaction ends.

    Raises:
        LeaseLost: It is not, and nothing is written.
    """
    written = session.execute(
        update(TaskRow).where(_mine(task_id, lease_id)).values(values).returning(TaskRow.id)
    ).one_or_none()
    if written is None:
        raise LeaseLost(f"task {task_id} was given to another clerk, or cancelled")


def extend(
    session: Session,
    task_id: UUID,
    lease_id: UUID,
    *,
    lease_ms: int,
    progress: dict[str, Any] | None = None,
) -> None:
    """Keep a task, and say how far it is.

    Raises:
        LeaseLost: It is not ours any more.
    """
    said = {} if progress is None else {"progress": progress}
    _write(session, task_id, lease_id, {"lease_until": now_ms() + lease_ms, **said})


def require_mine(
    session: Session, task_id: UUID, lease_id: UUID, *, batch_id: UUID | None = None
) -> None:
    """The fence of a transaction that changes something for a task.

    Args:
        session: Nobody can take the task away until its transaction ends.
        task_id: Which.
        lease_id: The fencing token.
        batch_id: The batch that the task turned out to be about; kept in its row.

    Raises:
        LeaseLost: It is not ours any more.
    """
    said: dict[str, Any] = {"lease_id": lease_id} if batch_id is None else {"batch_id": batch_id}
    _write(session, task_id, lease_id, said)


def finish(session: Session, task_id: UUID, lease_id: UUID, result: dict[str, Any]) -> None:
    """RUNNING → DONE.

    Raises:
        LeaseLost: It is not ours any more.
    """
    done = ended(TaskState.DONE)
    _write(session, task_id, lease_id, {"result": result, **NOTHING, **done})


def fail(session: Session, task_id: UUID, lease_id: UUID, why: Why) -> None:
    """RUNNING → FAILED, with a sentence that a person understands.

    Raises:
        LeaseLost: It is not ours any more.
    """
    _write(session, task_id, lease_id, {**why.values(), **ended(TaskState.FAILED)})


def put_off(
    session: Session,
    task_id: UUID,
    lease_id: UUID,
    *,
    delay_ms: int,
    why: Why | None = None,
    charge: bool = True,
) -> None:
    """RUNNING → WAITING, to be taken again.

    Args:
        session: Written to.
        task_id: Which.
        lease_id: The fencing token.
        delay_ms: Not before so long from now.
        why: None where nothing is wrong.
        charge: False where this does not count as one of its tries: a service is away for all, or
            the clerk stops.

    Raises:
        LeaseLost: It is not ours any more.
    """
    _write(
        session,
        task_id,
        lease_id,
        {
            "state": TaskState.WAITING,
            "lease_id": None,
            "lease_until": None,
            "attempts": TaskRow.attempts if charge else TaskRow.attempts - 1,
            "next_at": now_ms() + delay_ms if delay_ms else None,
            "published_at": None,
            **(NOTHING if why is None else why.values()),
        },
    )


def cancel(session: Session, task_id: UUID) -> None:
    """WAITING | RUNNING → CANCELLED: a clerk that has it hears of it at its next heartbeat.

    Raises:
        NotFound: There is no such task.
        Conflict: It has ended already.
    """
    cancelled = session.execute(
        update(TaskRow)
        .where(
            TaskRow.id == task_id,
            TaskRow.state.in_(TaskState.open()),
            TaskRow.kind != TaskKind.DELETE,
        )
        .values(**ended(TaskState.CANCELLED))
        .returning(TaskRow.id)
    ).one_or_none()
    if cancelled is not None:
        return
    row = session.execute(
        select(TaskRow.state, TaskRow.kind).where(TaskRow.id == task_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no task {task_id}")
    if row.kind == TaskKind.DELETE and row.state in TaskState.open():
        raise Conflict(
            f"task {task_id} deletes something and cannot be cancelled; restore a batch from the "
            "trash",
            code="task.deletes",
        )
    label = TaskState(row.state).label
    sentence = f"task {task_id} is {label} and cannot be cancelled"
    raise Conflict(sentence, code="task.ended", params={"state": label})


def ended(state: TaskState) -> dict[str, Any]:
    """What is written where a task ends."""
    return {
        "state": state,
        "lease_id": None,
        "lease_until": None,
        "next_at": None,
        "finished_at": now_ms(),
        "expires_at": now_ms() + KEPT_MS,
    }


def find(session: Session, task_id: UUID) -> TaskRow | None:
    """The row itself, detached; None where there is none."""
    row = session.get(TaskRow, task_id)
    if row is not None:
        session.expunge(row)
    return row


def listing(
    session: Session,
    *,
    user_id: int | None = None,
    team_ids: Collection[UUID] | None = (),
    batch_id: UUID | None = None,
    after: tuple[int, UUID] | None = None,
    limit: int = 100,
) -> list[TaskRow]:
    """Tasks, newest first.

    Args:
        session: Read from.
        user_id: Whose.
        team_ids: And those of these teams; None: everybody's.
        batch_id: Only those of one batch; None: of all.
        after: ``created_at`` and id of the task before the page; None at the beginning.
        limit: At most so many.
    """
    query = select(TaskRow).order_by(TaskRow.created_at.desc(), TaskRow.id.desc()).limit(limit)
    if team_ids is not None:
        query = query.where(or_(TaskRow.user_id == user_id, TaskRow.team_id.in_(team_ids)))
    if batch_id is not None:
        query = query.where(TaskRow.batch_id == batch_id)
    if after is not None:
        query = query.where(tuple_(TaskRow.created_at, TaskRow.id) < after)
    rows = list(session.scalars(query))
    session.expunge_all()
    return rows
