"""Which chunks' messages must be sent, for the first time or again.

A message may be lost with the broker or with the worker that had it; a second copy is harmless,
since a chunk is taken once. So a chunk that nobody takes is published again, after longer and
longer waits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, case, or_, select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import BatchRow, ChunkRow
from maskpool.domain import ChunkMessage, ChunkState, Klass

#: After this long without a mark as published, the chunk's dispatcher died before it sent it.
_UNPUBLISHED_MS = 2_000
#: How long a message may wait to be taken, by how often it was published: twice as long each time,
#: up to ``_REPUBLISH_MAX_MS``.
_REPUBLISH_MS = {publishes: 30_000 << (publishes - 1) for publishes in range(1, 6)}
#: The same where somebody waits for the answer: a copy that was not needed costs less than they do.
_REPUBLISH_NOW_MS = {publishes: 2_000 << (publishes - 1) for publishes in range(1, 10)}
_REPUBLISH_MAX_MS = 600_000

_MARK_PUBLISHED = (
    update(ChunkRow)
    .where(ChunkRow.id.in_(bindparam("chunks", expanding=True)))
    .values(published_at=now_ms(), publishes=ChunkRow.publishes + 1)
)


def distrust_sent(session: Session, *, older_than_ms: int = 0) -> None:
    """Treat messages of queued chunks as lost: they are sent again as if for the first time.

    Args:
        session: Written to.
        older_than_ms: Only messages that were sent at least this long ago; 0 takes also those that
            nobody has marked as sent yet, since a broker that forgot may have had them.
    """
    doubted = ChunkRow.published_at <= now_ms() - older_than_ms
    if not older_than_ms:
        doubted |= ChunkRow.published_at.is_(None)
    session.execute(
        update(ChunkRow)
        .where(ChunkRow.state == ChunkState.QUEUED, doubted)
        .values(published_at=0, publishes=0)
    )


def unpublished(
    session: Session, models: Collection[str], *, limit: int = 1_000
) -> list[ChunkMessage]:
    """Queued chunks whose message was not sent, or must be sent again.

    Args:
        session: Read from.
        models: Those that a living worker serves; messages for others would only wait in Redis.
        limit: Return at most this many.
    """
    rows = session.connection().execute(_unpublished(), {"models": list(models), "limit": limit})
    return [
        ChunkMessage(batch_id, chunk_id, model, Klass(klass), size, solo)
        for batch_id, chunk_id, model, klass, size, solo in rows
    ]


@cache
def _unpublished() -> Select[UUID, UUID, str, int, int, bool]:
    waited = now_ms() - ChunkRow.published_at
    # Tables of steps, since SQLite may lack an exponential function.
    now, bulk = (
        case(steps, value=ChunkRow.publishes, else_=_REPUBLISH_MAX_MS)
        for steps in (_REPUBLISH_NOW_MS, _REPUBLISH_MS)
    )
    max_wait = case((BatchRow.klass == Klass.NOW, now), else_=bulk)
    overdue = or_(
        and_(ChunkRow.published_at.is_(None), ChunkRow.created_at < now_ms() - _UNPUBLISHED_MS),
        waited > max_wait,
    )
    return (
        select(
            ChunkRow.batch_id,
            ChunkRow.id,
            BatchRow.model,
            BatchRow.klass,
            ChunkRow.size,
            ChunkRow.solo,
        )
        .join(BatchRow, BatchRow.id == ChunkRow.batch_id)
        .where(
            ChunkRow.state == ChunkState.QUEUED,
            overdue,
            BatchRow.model.in_(bindparam("models", expanding=True)),
        )
        .order_by(ChunkRow.id)
        .limit(bindparam("limit"))
    )


def mark_published(session: Session, chunk_ids: Sequence[UUID]) -> None:
    """The broker has these messages now."""
    session.connection().execute(_MARK_PUBLISHED, {"chunks": chunk_ids})
