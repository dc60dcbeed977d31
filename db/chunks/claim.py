"""Claiming: what could be dispatched, and turning it into chunks under the batch's row lock.

A dispatcher does this many times a second. Building a statement costs SQLAlchemy ten times what
running it does, so those of every round are built once, here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, case, func, insert, or_, select, text, update
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

_LEAD = text(f"SELECT pg_try_advisory_xact_lock({_LEADER_LOCK})")

_IS_DUE = and_(JobRow.next_at.is_not(None), JobRow.next_at <= now_ms())

_CANDIDATES = (
    select(
        BatchRow.id,
        BatchRow.owner_id,
        BatchRow.model,
        BatchRow.klass,
        BatchRow.priority,
        UserRow.virtual_time.label("owner_time"),
        UserRow.weight.label("owner_weight"),
        BatchRow.virtual_time.label("batch_time"),
        BatchRow.next_seq,
        BatchRow.total,
        (BatchRow.done + BatchRow.failed).label("ended"),
        BatchRow.gpu_seconds,
        select(func.count())
        .select_from(JobRow)
        .where(JobRow.batch_id == BatchRow.id, _IS_DUE)
        .correlate(BatchRow)
        .scalar_subquery()
        .label("due"),
    )
    .join(UserRow, UserRow.id == BatchRow.owner_id)
    .where(BatchRow.state == BatchState.ACTIVE, BatchRow.id.in_(bindparam("held", expanding=True)))
    .order_by(BatchRow.created_at, BatchRow.id)
)

_OPEN_CHUNKS = (
    select(BatchRow.model, BatchRow.klass, func.count())
    .select_from(ChunkRow)
    .join(BatchRow, BatchRow.id == ChunkRow.batch_id)
    .where(ChunkRow.state.in_((ChunkState.QUEUED, ChunkState.RUNNING)))
    .group_by(BatchRow.model, BatchRow.klass)
)

_CHARGE_BATCH = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"))
    .values(
        next_seq=bindparam("claimed"), virtual_time=BatchRow.virtual_time + bindparam("seconds")
    )
)

_CHARGE_OWNER = (
    update(UserRow)
    .where(UserRow.id == bindparam("owner"))
    .values(virtual_time=UserRow.virtual_time + bindparam("seconds") / UserRow.weight)
)

_INSERT_CHUNKS = insert(ChunkRow).values(created_at=now_ms())

_MARK_PUBLISHED = (
    update(ChunkRow)
    .where(ChunkRow.id.in_(bindparam("chunks", expanding=True)))
    .values(published_at=now_ms(), publishes=ChunkRow.publishes + 1)
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ACTIVE batch with jobs to claim, and whose turn it is.

    Attributes:
        next_seq: The first job that was never claimed.
        fresh: Jobs from there on.
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
    next_seq: int
    fresh: int
    due: int
    seconds_per_image: float | None


def lead(session: Session) -> bool:
    """Whether this transaction is the one that dispatches now."""
    if session.get_bind().dialect.name != "postgresql":
        return True  # SQLite has one writer at a time anyway
    return bool(session.connection().execute(_LEAD).scalar())


def candidates(session: Session, held: Sequence[UUID]) -> list[Candidate]:
    """The ACTIVE batches with something to claim, of those whose rows are held."""
    if not held:
        return []
    found = [_candidate(row) for row in session.connection().execute(_CANDIDATES, {"held": held})]
    return [candidate for candidate in found if candidate.fresh + candidate.due > 0]


def _candidate(row: Any) -> Candidate:  # noqa: ANN401 - a Row of the statement above
    return Candidate(
        batch_id=row.id,
        owner_id=row.owner_id,
        model=row.model,
        klass=Klass(row.klass),
        priority=Priority(row.priority),
        owner_time=row.owner_time,
        owner_weight=row.owner_weight,
        batch_time=row.batch_time,
        next_seq=row.next_seq,
        fresh=row.total - row.next_seq,
        due=row.due,
        seconds_per_image=row.gpu_seconds / row.ended if row.ended and row.gpu_seconds else None,
    )


def open_chunks(session: Session) -> dict[tuple[str, Klass], int]:
    """Chunks that are queued or running, by model and class."""
    rows = session.connection().execute(_OPEN_CHUNKS)
    return {(model, Klass(klass)): count for model, klass, count in rows}


def claim(
    session: Session, candidate: Candidate, *, chunks: int, size: int, image_seconds: float
) -> list[ChunkMessage]:
    """Make up to ``chunks`` chunks of up to ``size`` jobs: due retries first, then fresh jobs.

    Args:
        session: Holds the batch's row, since before the candidates were read.
        candidate: The batch.
        chunks: At most so many; a solo job takes a chunk of its own.
        size: Jobs a chunk.
        image_seconds: Estimated GPU-seconds an image, charged now and corrected when folded.
    """
    # What came due since the candidates were read is for the next tick.
    parts = (
        _due_parts(session, candidate.batch_id, chunks=chunks, size=size) if candidate.due else []
    )
    first = candidate.next_seq
    end = first + min(candidate.fresh, (chunks - len(parts)) * size)
    parts += [_Part(lo=lo, hi=min(lo + size, end)) for lo in range(first, end, size)]
    if not parts:
        return []
    images = sum(part.size for part in parts)
    _charge(session, candidate, images * image_seconds, end)
    return _insert_chunks(session, candidate, parts, image_seconds)


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


def _charge(session: Session, candidate: Candidate, seconds: float, claimed: int) -> None:
    connection = session.connection()
    weighed = seconds / candidate.priority.weight
    connection.execute(
        _CHARGE_BATCH, {"batch": candidate.batch_id, "claimed": claimed, "seconds": weighed}
    )
    connection.execute(_CHARGE_OWNER, {"owner": candidate.owner_id, "seconds": seconds})


def _insert_chunks(
    session: Session, candidate: Candidate, parts: Sequence[_Part], image_seconds: float
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
            "charged": part.size * image_seconds,
        }
        for part in parts
    ]
    session.connection().execute(_INSERT_CHUNKS, rows)
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
    rows = session.connection().execute(_unheard(), {"models": list(models), "most": limit})
    return [
        ChunkMessage(batch_id, chunk_id, model, Klass(klass), size, solo)
        for batch_id, chunk_id, model, klass, size, solo in rows
    ]


@cache
def _unheard() -> Select[UUID, UUID, str, int, int, bool]:
    waited = now_ms() - ChunkRow.published_at
    # Each step by name: SQLite may lack an exponential function.
    patience = case(_REPUBLISH_MS, value=ChunkRow.publishes, else_=_REPUBLISH_MAX_MS)
    overdue = or_(
        and_(ChunkRow.published_at.is_(None), ChunkRow.created_at < now_ms() - _UNPUBLISHED_MS),
        waited > patience,
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
        .limit(bindparam("most"))
    )


def mark_published(session: Session, chunk_ids: Sequence[UUID]) -> None:
    """The broker has these messages now."""
    session.connection().execute(_MARK_PUBLISHED, {"chunks": chunk_ids})
