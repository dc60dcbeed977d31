"""Claiming: what could be dispatched, and turning it into chunks under the batch's row lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import BatchRow, ChunkRow, JobRow, UserRow
from maskpool.domain import (
    BatchState,
    ChunkMessage,
    ChunkState,
    JobState,
    Klass,
    Priority,
    new_id,
)

#: The advisory lock that makes one dispatcher the leader of one tick.
_LEADER_LOCK = 0x6D706F6F6C

#: A chunk claimed but not marked published for this long lost its publisher.
_UNPUBLISHED_MS = 2_000
#: A chunk published so often is published again when nobody took it for so long; twice as long
#: after each time, up to ``_REPUBLISH_MAX_MS``.
_REPUBLISH_MS = {publishes: 30_000 << (publishes - 1) for publishes in range(1, 6)}
_REPUBLISH_MAX_MS = 600_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ACTIVE batch with jobs to claim, and whose turn it is.

    Attributes:
        fresh: Jobs that were never claimed.
        due: Jobs in RETRY whose time has come.
        seconds_per_image: GPU-seconds an image of this batch took so far; None before the first.
    """

    batch_id: UUID
    owner_id: int
    model: str
    klass: Klass
    priority: Priority
    owner_time: float
    owner_weight: float
    batch_time: float
    fresh: int
    due: int
    seconds_per_image: float | None


def lead(session: Session) -> bool:
    """Whether this transaction is the one that dispatches now."""
    if session.get_bind().dialect.name != "postgresql":
        return True  # SQLite has one writer at a time anyway
    return bool(
        session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LEADER_LOCK})
    )


def candidates(session: Session, held: Sequence[UUID]) -> list[Candidate]:
    """The ACTIVE batches with something to claim, of those whose rows are held."""
    due = (
        select(func.count())
        .select_from(JobRow)
        .where(
            JobRow.batch_id == BatchRow.id,
            JobRow.next_at.is_not(None),
            JobRow.next_at <= now_ms(),
        )
        .correlate(BatchRow)
        .scalar_subquery()
    )
    rows = session.execute(
        select(BatchRow, UserRow.virtual_time, UserRow.weight, due.label("due"))
        .join(UserRow, UserRow.id == BatchRow.owner_id)
        .where(BatchRow.state == BatchState.ACTIVE, BatchRow.id.in_(held))
        .order_by(BatchRow.created_at, BatchRow.id)
    ).all()
    found = [_candidate(*row) for row in rows]
    return [candidate for candidate in found if candidate.fresh + candidate.due > 0]


def _candidate(batch: BatchRow, owner_time: float, owner_weight: float, due: int) -> Candidate:
    ended = batch.done + batch.failed
    return Candidate(
        batch_id=batch.id,
        owner_id=batch.owner_id,
        model=batch.model,
        klass=Klass(batch.klass),
        priority=Priority(batch.priority),
        owner_time=owner_time,
        owner_weight=owner_weight,
        batch_time=batch.virtual_time,
        fresh=batch.total - batch.next_seq,
        due=due,
        seconds_per_image=batch.gpu_seconds / ended if ended and batch.gpu_seconds else None,
    )


def open_chunks(session: Session) -> dict[tuple[str, Klass], int]:
    """Chunks that are queued or running, by model and class."""
    rows = session.execute(
        select(BatchRow.model, BatchRow.klass, func.count())
        .select_from(ChunkRow)
        .join(BatchRow, BatchRow.id == ChunkRow.batch_id)
        .where(ChunkRow.state.in_((ChunkState.QUEUED, ChunkState.RUNNING)))
        .group_by(BatchRow.model, BatchRow.klass)
    )
    return {(model, Klass(klass)): count for model, klass, count in rows}


def claim(
    session: Session, candidate: Candidate, *, chunks: int, size: int, image_seconds: float
) -> list[ChunkMessage]:
    """Make up to ``chunks`` chunks of up to ``size`` jobs: due retries first, then fresh jobs.

    Args:
        session: Its transaction takes the batch's row lock.
        candidate: The batch; read again under the lock.
        chunks: At most so many; a solo job takes a chunk of its own.
        size: Jobs a chunk.
        image_seconds: Estimated GPU-seconds an image, charged now and corrected when folded.
    """
    batch = session.execute(
        select(BatchRow.next_seq, BatchRow.total, now_ms().label("now"))
        .where(BatchRow.id == candidate.batch_id, BatchRow.state == BatchState.ACTIVE)
        .with_for_update()
    ).one_or_none()
    if batch is None:
        return []
    # What came due since the candidates were read is for the next tick.
    parts = (
        _due_parts(session, candidate.batch_id, chunks=chunks, size=size) if candidate.due else []
    )
    fresh_end = min(batch.total, batch.next_seq + (chunks - len(parts)) * size)
    for lo in range(batch.next_seq, fresh_end, size):
        parts.append(_Part(lo=lo, hi=min(lo + size, fresh_end)))
    if not parts:
        return []
    images = sum(part.size for part in parts)
    _charge(session, candidate, images * image_seconds, fresh_end)
    return _insert_chunks(session, candidate, parts, image_seconds, now=batch.now)


@dataclass(frozen=True, slots=True)
class _Part:
    """The jobs of one chunk to be: a range, or a list."""

    lo: int = 0
    hi: int = 0
    seqs: list[int] | None = None
    solo: bool = False

    @property
    def size(self) -> int:
        return self.hi - self.lo if self.seqs is None else len(self.seqs)


def _due_parts(session: Session, batch_id: UUID, *, chunks: int, size: int) -> list[_Part]:
    due = session.execute(
        select(JobRow.seq, JobRow.solo)
        .where(
            JobRow.batch_id == batch_id,
            JobRow.next_at.is_not(None),
            JobRow.next_at <= now_ms(),
        )
        .order_by(JobRow.next_at, JobRow.seq)
        .limit(chunks * size)
    ).all()
    together = [job.seq for job in due if not job.solo]
    parts = [_Part(seqs=together[i : i + size]) for i in range(0, len(together), size)]
    parts += [_Part(seqs=[job.seq], solo=True) for job in due if job.solo]
    parts = parts[:chunks]
    claimed = [seq for part in parts for seq in part.seqs or ()]
    if claimed:
        session.execute(
            update(JobRow)
            .where(JobRow.batch_id == batch_id, JobRow.seq.in_(claimed))
            .values(state=JobState.WAITING, next_at=None)
        )
    return parts


def _charge(session: Session, candidate: Candidate, seconds: float, next_seq: int) -> None:
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == candidate.batch_id)
        .values(
            next_seq=next_seq,
            virtual_time=BatchRow.virtual_time + seconds / candidate.priority.weight,
        )
    )
    session.execute(
        update(UserRow)
        .where(UserRow.id == candidate.owner_id)
        .values(virtual_time=UserRow.virtual_time + seconds / UserRow.weight)
    )


def _insert_chunks(
    session: Session,
    candidate: Candidate,
    parts: Sequence[_Part],
    image_seconds: float,
    *,
    now: int,
) -> list[ChunkMessage]:
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "batch_id": candidate.batch_id,
            "lo": part.lo,
            "hi": part.hi,
            "seqs": part.seqs,
            "size": part.size,
            "solo": part.solo,
            "created_at": now,
            "charged": part.size * image_seconds,
        }
        for part in parts
    ]
    session.connection().execute(insert(ChunkRow.__table__), rows)  # type: ignore[arg-type]
    return [
        ChunkMessage(
            batch_id=candidate.batch_id,
            chunk_id=row["id"],
            model=candidate.model,
            klass=candidate.klass,
            size=row["size"],
            solo=row["solo"],
        )
        for row in rows
    ]


def doubt(session: Session, *, older_than_ms: int = 0) -> None:
    """Have messages of queued chunks sent again, as if for the first time.

    Args:
        session: Written to.
        older_than_ms: Only messages sent at least so long ago.
    """
    session.execute(
        update(ChunkRow)
        .where(
            ChunkRow.state == ChunkState.QUEUED,
            ChunkRow.published_at <= now_ms() - older_than_ms,
        )
        .values(published_at=0, publishes=0)
    )


def unheard(session: Session, models: Collection[str], *, limit: int = 1_000) -> list[ChunkMessage]:
    """Queued chunks whose message must be sent again.

    Args:
        session: Read from.
        models: Those that somebody serves; nobody would hear of the others.
        limit: At most so many at once.
    """
    waited = now_ms() - ChunkRow.published_at
    # Each step by name: SQLite may lack an exponential function.
    patience = case(_REPUBLISH_MS, value=ChunkRow.publishes, else_=_REPUBLISH_MAX_MS)
    overdue = or_(
        and_(ChunkRow.published_at.is_(None), ChunkRow.created_at < now_ms() - _UNPUBLISHED_MS),
        waited > patience,
    )
    query = (
        select(ChunkRow, BatchRow.model, BatchRow.klass)
        .join(BatchRow, BatchRow.id == ChunkRow.batch_id)
        .where(ChunkRow.state == ChunkState.QUEUED, overdue, BatchRow.model.in_(models))
        .order_by(ChunkRow.id)
        .limit(limit)
    )
    return [
        ChunkMessage(chunk.batch_id, chunk.id, model, Klass(klass), chunk.size, chunk.solo)
        for chunk, model, klass in session.execute(query)
    ]


def mark_published(session: Session, chunk_ids: Sequence[UUID]) -> None:
    """The broker has these messages now."""
    session.execute(
        update(ChunkRow)
        .where(ChunkRow.id.in_(chunk_ids))
        .values(published_at=now_ms(), publishes=ChunkRow.publishes + 1)
    )
