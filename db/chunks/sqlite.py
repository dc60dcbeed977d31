"""Taking, keeping and finishing a chunk in plain SQL, as SQLite understands it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, insert, or_, select, update
from sqlalchemy.orm import Session

from db.chunks.records import (
    INSTANCE_COLUMNS,
    RARE_COLUMNS,
    EndRow,
    JobEnd,
    TakenChunk,
    counts,
    have_rare,
    instance_values,
)
from db.clock import now_ms
from db.models import BatchRow, ChunkRow, InstanceRow, JobRow
from maskpool.domain import ChunkState, Job, JobState

_END_COLUMNS = (
    *("state", "next_at", "attempts", "masks_key", "masks_offset", "masks_length"),
    *("width", "height", "n_instances", "error"),
)

_EXTEND = (
    update(ChunkRow)
    .where(
        ChunkRow.id.in_(bindparam("chunks", expanding=True)),
        ChunkRow.worker == bindparam("of_worker"),
        ChunkRow.state == ChunkState.RUNNING,
    )
    .values(lease_until=now_ms() + bindparam("lease_ms"))
    .returning(
        ChunkRow.id,
        # A subquery: SQLite's RETURNING knows no joined table and would give the chunk's own state.
        select(BatchRow.state)
        .where(BatchRow.id == ChunkRow.batch_id)
        .correlate(ChunkRow)
        .scalar_subquery(),
    )
)


def take(
    session: Session, chunk_id: UUID, worker: UUID, *, solo: bool, lease_ms: int
) -> TakenChunk | None:
    """``db.chunks.take``."""
    chunk = session.execute(
        update(ChunkRow)
        .where(
            ChunkRow.id == chunk_id,
            ChunkRow.solo == solo,
            or_(
                ChunkRow.state == ChunkState.QUEUED,
                and_(ChunkRow.state == ChunkState.RUNNING, ChunkRow.worker == worker),
            ),
        )
        .values(state=ChunkState.RUNNING, worker=worker, lease_until=now_ms() + lease_ms)
        .returning(ChunkRow.batch_id, ChunkRow.lo, ChunkRow.hi, ChunkRow.seqs)
    ).one_or_none()
    if chunk is None:
        return None
    which = (
        and_(JobRow.seq >= chunk.lo, JobRow.seq < chunk.hi)
        if chunk.seqs is None
        else JobRow.seq.in_(chunk.seqs)
    )
    jobs = session.execute(
        select(JobRow.seq, JobRow.name, JobRow.image_uri, JobRow.attempts, JobRow.prompts)
        .where(JobRow.batch_id == chunk.batch_id, which, JobRow.state == JobState.WAITING)
        .order_by(JobRow.seq)
    )
    spec = session.scalars(select(BatchRow.spec).where(BatchRow.id == chunk.batch_id)).one()
    return TakenChunk(chunk.batch_id, chunk_id, spec, tuple(Job(*job) for job in jobs))


def extend(
    session: Session, worker: UUID, chunk_ids: Sequence[UUID], lease_ms: int
) -> Sequence[Row[UUID, int]]:
    """``db.chunks.extend``; pairs of a chunk and its batch's state."""
    asked = {"chunks": list(chunk_ids), "of_worker": worker, "lease_ms": lease_ms}
    return session.connection().execute(_EXTEND, asked).all()


def finish(
    session: Session, worker: UUID, chunk_id: UUID, ends: Sequence[JobEnd], gpu_seconds: float
) -> bool:
    """``db.chunks.finish``; False where the chunk is not ours any more."""
    done, failed = counts(ends)
    batch_id = session.execute(
        update(ChunkRow)
        .where(
            ChunkRow.id == chunk_id,
            ChunkRow.state == ChunkState.RUNNING,
            ChunkRow.worker == worker,
        )
        .values(
            state=ChunkState.DONE,
            done=done,
            failed=failed,
            gpu_seconds=gpu_seconds,
            lease_until=None,
        )
        .returning(ChunkRow.batch_id)
    ).scalar_one_or_none()
    if batch_id is None:
        return False
    if ends:
        end_jobs(session, batch_id, ends)
        _insert_instances(session, batch_id, ends)
    return True


def end_jobs(session: Session, batch_id: UUID, ends: Sequence[JobEnd]) -> None:
    """Write how jobs end, whoever holds them; ``finish`` checks that first."""
    now = session.scalar(select(now_ms())) or 0
    statement = (
        update(JobRow.__table__)  # type: ignore[arg-type]
        .where(JobRow.batch_id == bindparam("of_batch"), JobRow.seq == bindparam("of_seq"))
        .values({name: bindparam(f"new_{name}") for name in _END_COLUMNS})
    )
    rows = []
    for end in ends:
        new = zip(_END_COLUMNS, _values(end.row(), now), strict=True)
        row = {f"new_{name}": value for name, value in new}
        rows.append({"of_batch": batch_id, "of_seq": end.seq, **row})
    session.connection().execute(statement, rows)


def _values(row: EndRow, now: int) -> tuple[Any, ...]:
    return (
        int(row.state),
        now + row.delay_ms if row.state == JobState.RETRY else None,
        row.attempts,
        row.masks_key,
        row.masks_offset,
        row.masks_length,
        row.width,
        row.height,
        row.n_instances,
        row.error,
    )


def _insert_instances(session: Session, batch_id: UUID, ends: Sequence[JobEnd]) -> None:
    rare = have_rare(ends)
    columns = (*INSTANCE_COLUMNS, *RARE_COLUMNS) if rare else INSTANCE_COLUMNS
    rows = [
        dict(zip(columns, values, strict=True))
        for values in instance_values(batch_id, ends, rare=rare)
    ]
    if rows:
        session.execute(insert(InstanceRow), rows)
