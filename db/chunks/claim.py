"""Claiming: what could be dispatched, and turning it into chunks under the batch's row lock.

The statements of every tick are built once, as those of ``db.turns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import BatchRow, ChunkRow, JobRow, UserRow
from db.turns import charge
from maskpool.domain import BatchState, ChunkMessage, ChunkState, JobState, Klass, Priority, new_id
from maskpool.fairness import Candidate

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
        (BatchRow.spec["tiles"].as_string().is_not(None)).label("tiled"),
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
    .where(ChunkRow.state.in_(ChunkState.open()))
    .group_by(BatchRow.model, BatchRow.klass)
)

_INSERT_CHUNKS = insert(ChunkRow).values(created_at=now_ms())


def candidates(session: Session, held: Sequence[UUID]) -> list[Candidate]:
    """Those of the batches ``held`` that are ACTIVE and have jobs to claim."""
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
        tiled=bool(row.tiled),
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
    # Jobs that came due since the candidates were read are left to the next tick.
    parts = (
        _due_parts(session, candidate.batch_id, chunks=chunks, size=size) if candidate.due else []
    )
    first = candidate.next_seq
    end = first + min(candidate.fresh, (chunks - len(parts)) * size)
    parts += [_Part(lo=lo, hi=min(lo + size, end)) for lo in range(first, end, size)]
    if not parts:
        return []
    images = sum(part.size for part in parts)
    charge(session, candidate, images * image_seconds, end)
    return _insert_chunks(session, candidate, parts, image_seconds)


@dataclass(frozen=True, slots=True)
class _Part:
    """The jobs of a chunk that is about to be made: a range, or a list."""

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
