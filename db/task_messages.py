"""Which tasks' messages must be sent, and whose lease lapsed: for the dispatcher.

As with chunks, a message may be lost and a second copy is harmless. The statements are built once.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import JSON, and_, bindparam, case, func, literal, or_, select, text, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import ServiceRow, TaskRow
from db.services import ALIVE_MS, CLERK
from db.task_problems import Why
from maskpool.tasks import KEPT_MS, MAX_TAKES, TaskKind, TaskMessage, TaskState

#: How long a message may wait to be taken; twice as long each time, up to ``_REPUBLISH_MAX_MS``.
_REPUBLISH_MS = 30_000
_REPUBLISH_MAX_MS = 600_000

#: Tasks that one tick publishes, and takes back.
_AT_ONCE = 1_000

#: Written out: with a parameter for each state, SQLite would not use the index of the open tasks.
_OPEN = text("tasks.state IN (0, 1)")

_NEVER_TAKEN = Why(
    "task.lost",
    f"the clerk died, or was cut off, each of the {MAX_TAKES} times it worked on this; look at its "
    "log, then ask again",
    {"times": MAX_TAKES},
).values()


_LAPSED = and_(TaskRow.state == TaskState.RUNNING, TaskRow.lease_until < now_ms())

_WAITED = now_ms() - TaskRow.published_at

#: As long again as it took from its creation to its last message.
_SO_FAR = TaskRow.published_at - TaskRow.created_at

_DUE = and_(
    TaskRow.state == TaskState.WAITING,
    or_(TaskRow.next_at.is_(None), TaskRow.next_at <= now_ms()),
    or_(
        TaskRow.published_at.is_(None),
        case(
            (_SO_FAR < _REPUBLISH_MS, _REPUBLISH_MS),
            (_SO_FAR > _REPUBLISH_MAX_MS, _REPUBLISH_MAX_MS),
            else_=_SO_FAR,
        )
        < _WAITED,
    ),
    # Messages that nobody takes would only pile up.
    select(ServiceRow.id)
    .where(ServiceRow.kind == CLERK, ServiceRow.seen_at > now_ms() - ALIVE_MS)
    .exists(),
)

#: Whether a tick has something to do for some task.
WAITS = select(TaskRow.id).where(_OPEN, or_(_LAPSED, _DUE)).exists()

_TO_DO = (
    select(TaskRow.id, TaskRow.kind, TaskRow.state)
    .where(_OPEN, or_(_LAPSED, _DUE))
    .order_by(TaskRow.created_at)
    .limit(_AT_ONCE)
)

_REAP = (
    update(TaskRow)
    .where(TaskRow.id.in_(bindparam("tasks", expanding=True)), _LAPSED)
    .values(
        state=case((TaskRow.attempts >= MAX_TAKES, TaskState.FAILED), else_=TaskState.WAITING),
        error=case((TaskRow.attempts >= MAX_TAKES, _NEVER_TAKEN["error"]), else_=TaskRow.error),
        problem=case(
            (TaskRow.attempts >= MAX_TAKES, literal(_NEVER_TAKEN["problem"], JSON())),
            else_=TaskRow.problem,
        ),
        finished_at=case((TaskRow.attempts >= MAX_TAKES, now_ms()), else_=None),
        expires_at=case((TaskRow.attempts >= MAX_TAKES, now_ms() + KEPT_MS), else_=None),
        lease_id=None,
        lease_until=None,
        published_at=None,
    )
    .returning(TaskRow.id, TaskRow.kind, TaskRow.state)
)

_DISTRUST = (
    update(TaskRow).where(_OPEN, TaskRow.state == TaskState.WAITING).values(published_at=None)
)

_MARK = (
    update(TaskRow)
    .where(TaskRow.id.in_(bindparam("tasks", expanding=True)))
    .values(published_at=now_ms())
)


def distrust_sent(session: Session) -> None:
    """Treat the messages of all waiting tasks as lost: the broker forgot them."""
    session.connection().execute(_DISTRUST)


def unpublished(session: Session) -> list[TaskMessage]:
    """Take tasks back whose lease lapsed, and say which tasks' messages must be sent."""
    connection = session.connection()
    found = connection.execute(_TO_DO).all()
    lapsed = [task_id for task_id, _, state in found if state == TaskState.RUNNING]
    again = connection.execute(_REAP, {"tasks": lapsed}).all() if lapsed else ()
    rows = [*found, *again]
    return [
        TaskMessage(task_id, TaskKind(kind))
        for task_id, kind, state in rows
        if state == TaskState.WAITING
    ]


def count_waiting(session: Session) -> int:
    """How many tasks wait for a clerk, or for their time."""
    waiting = select(func.count()).where(_OPEN, TaskRow.state == TaskState.WAITING)
    return session.scalar(waiting.select_from(TaskRow)) or 0


def mark_published(session: Session, task_ids: Sequence[UUID]) -> None:
    """The broker has these messages now."""
    session.connection().execute(_MARK, {"tasks": task_ids})
