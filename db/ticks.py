"""What a tick of the dispatcher asks first: who leads, is there work, which batches may it change.

The statements are built once, as those of ``db.turns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from db.chunks.reap import LAPSED
from db.clock import now_ms
from db.models import BatchRow, ChunkRow, JobRow
from db.session import is_postgres
from db.task_messages import WAITS
from maskpool.domain import BatchState, ChunkState

#: The advisory lock that makes one dispatcher the leader of one tick.
_LEADER_LOCK = 0x6D706F6F6C

_LEAD = text(f"SELECT pg_try_advisory_xact_lock({_LEADER_LOCK})")

_ANYTHING_TO_DO = select(
    LAPSED
    | select(ChunkRow.id)
    .where(ChunkRow.state.in_((*ChunkState.closed(), ChunkState.QUEUED)))
    .exists()
    | select(BatchRow.id)
    .where(BatchRow.state == BatchState.ACTIVE, BatchRow.next_seq < BatchRow.total)
    .exists()
    | select(BatchRow.id)
    .where(BatchRow.state.in_(BatchState.live()), BatchRow.done + BatchRow.failed == BatchRow.total)
    .exists()
    | select(JobRow.seq)
    .join(BatchRow, BatchRow.id == JobRow.batch_id)
    .where(
        BatchRow.state == BatchState.ACTIVE,
        JobRow.next_at.is_not(None),
        JobRow.next_at <= now_ms(),
    )
    .exists()
    | WAITS
)

_HOLD = (
    select(BatchRow.id)
    .where(
        or_(
            BatchRow.state.in_(BatchState.live()),
            BatchRow.id.in_(
                select(ChunkRow.batch_id).where(ChunkRow.state.in_(ChunkState.closed()))
            ),
        )
    )
    .order_by(BatchRow.id)
    .with_for_update(skip_locked=True)
)


def anything_to_do(session: Session) -> bool:
    """Whether a tick would write: lets an idle SQLite stack only read."""
    return bool(session.connection().execute(_ANYTHING_TO_DO).scalar())


def lead(session: Session) -> bool:
    """Whether this transaction is the one that dispatches now."""
    if not is_postgres(session):
        return True  # SQLite has one writer at a time anyway
    return bool(session.connection().execute(_LEAD).scalar())


def hold_batches(session: Session) -> Sequence[UUID]:
    """Lock the batches that a tick may write to, all at once and before anything else.

    Whoever cancels, pauses or resumes locks a batch first, too, and then what belongs to it: the
    other way round is a deadlock. A batch that somebody holds just now – cancelling a million jobs
    takes a while – is left to the next tick, so that it stops no other.
    """
    return session.connection().execute(_HOLD).scalars().all()
