"""What nobody needs any more: found for the hourly sweep, and deleted where rows are all of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db import tasks
from db.clock import now_ms
from db.models import BatchRow, IdempotencyRow, SessionRow, TaskRow, UploadRow, UploadUseRow
from maskpool.domain import BatchState
from maskpool.tasks import TaskKind, TaskState

_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS

#: Answers are repeated for so long.
_ANSWERS_MS = _DAY_MS

#: Sessions are shown to their user for so long after they expired.
_SESSIONS_MS = 7 * _DAY_MS

#: A deletion that nobody goes on with after this long was broken off.
_BROKEN_OFF_MS = _HOUR_MS

#: Rows that one step of the sweep looks at.
AT_ONCE = 500


def ask_for_sweep(session: Session) -> None:
    """Create the hourly task, unless somebody did within the hour."""
    latest = session.scalar(
        select(TaskRow.id)
        .where(TaskRow.kind == TaskKind.EXPIRE, TaskRow.created_at > now_ms() - _HOUR_MS)
        .limit(1)
    )
    if latest is None:
        tasks.create(session, TaskKind.EXPIRE, {}, user_id=None, team_id=None, batch_id=None)


def expired_tasks(session: Session) -> list[UUID]:
    """Tasks that ended long enough ago."""
    ended = TaskRow.state.not_in(TaskState.open())
    return list(
        session.scalars(
            select(TaskRow.id).where(ended, TaskRow.expires_at < now_ms()).limit(AT_ONCE)
        )
    )


def forget_task(session: Session, task_id: UUID) -> None:
    """Delete the row of a task that has ended; what it made is gone."""
    ended = TaskRow.state.not_in(TaskState.open())
    session.execute(delete(TaskRow).where(TaskRow.id == task_id, ended))


def expired_uploads(session: Session) -> list[UUID]:
    """Uploads whose time is over and of which no batch was made, nor is just being made."""
    unused = ~select(UploadUseRow.batch_id).where(UploadUseRow.upload_id == UploadRow.id).exists()
    found = session.scalars(
        select(UploadRow.id).where(UploadRow.expires_at < now_ms(), unused).limit(AT_ONCE)
    ).all()
    wanted = uploads_in_work(session) if found else set()
    return [upload_id for upload_id in found if upload_id not in wanted]


def uploads_in_work(session: Session) -> set[UUID]:
    """Uploads that an open task reads."""
    kinds = (TaskKind.LOAD, TaskKind.UNPACK)
    rows = session.scalars(
        select(TaskRow.args).where(TaskRow.state.in_(TaskState.open()), TaskRow.kind.in_(kinds))
    )
    return {UUID(name) for args in rows for name in _uploads_of(args)}


def _uploads_of(args: dict[str, Any]) -> list[str]:
    one = args.get("upload")
    return [*args.get("uploads", ()), *([one] if one else ())]


def broken_off_deletions(session: Session) -> list[UUID]:
    """Batches that were marked as deleted and that nobody clears away."""
    in_work = (
        select(TaskRow.id)
        .where(
            TaskRow.batch_id == BatchRow.id,
            TaskRow.kind == TaskKind.DELETE,
            TaskRow.state.in_(TaskState.open()),
        )
        .exists()
    )
    old = BatchRow.deleted_at < now_ms() - _BROKEN_OFF_MS
    return list(session.scalars(select(BatchRow.id).where(old, ~in_work).limit(AT_ONCE)))


def given_up_loads(session: Session) -> list[UUID]:
    """Batches that a task began to load that ended otherwise."""
    return list(
        session.scalars(
            select(BatchRow.id)
            .join(TaskRow, TaskRow.batch_id == BatchRow.id)
            .where(
                TaskRow.kind == TaskKind.LOAD,
                TaskRow.state.in_((TaskState.FAILED, TaskState.CANCELLED)),
                BatchRow.state == BatchState.LOADING,
                BatchRow.deleted_at.is_(None),
            )
            .limit(AT_ONCE)
        )
    )


def forget_answers(session: Session) -> int:
    """Delete answers that were given long ago; returns how many."""
    gone: Any = session.execute(
        delete(IdempotencyRow).where(IdempotencyRow.created_at < now_ms() - _ANSWERS_MS)
    )
    return int(gone.rowcount)


def forget_sessions(session: Session) -> int:
    """Delete sessions that expired long ago; returns how many."""
    gone: Any = session.execute(
        delete(SessionRow).where(SessionRow.expires_at < now_ms() - _SESSIONS_MS)
    )
    return int(gone.rowcount)
