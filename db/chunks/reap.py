"""Reaping: chunks whose lease lapsed are expired, and their unfinished jobs go back."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.jobs import chunk_seqs, return_jobs
from db.models import ChunkRow, JobRow, WorkerRow
from maskpool.domain import MAX_LOSSES, ChunkState, JobState

#: Whether some chunk's lease is over.
LAPSED = (
    select(ChunkRow.id)
    .where(ChunkRow.state == ChunkState.RUNNING, ChunkRow.lease_until < now_ms())
    .exists()
)
_ANY_LAPSED = select(LAPSED)


def any_lapsed(session: Session) -> bool:
    """Whether some chunk's lease is over."""
    return bool(session.connection().execute(_ANY_LAPSED).scalar())


def reap_one(session: Session, lease_ms: int, *, charge: bool = True) -> bool:
    """Expire one chunk whose lease lapsed; its unfinished jobs go back.

    One chunk for each transaction, so that nobody waits long for a chunk's row.

    A lost chunk charges nobody and marks its jobs solo. Only the loss of a solo job counts against
    it, and only if its worker is gone too: a worker that still sends heartbeats did not die of it.

    Args:
        session: Its transaction holds the chunk's row.
        lease_ms: Length of a lease.
        charge: False where workers are silent because the database was away.

    Returns:
        Whether there was one.
    """
    chunk = session.scalars(
        select(ChunkRow)
        .where(ChunkRow.state == ChunkState.RUNNING, ChunkRow.lease_until < now_ms())
        .order_by(ChunkRow.lease_until)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if chunk is None:
        return False
    seqs = chunk_seqs(chunk.lo, chunk.hi, chunk.seqs)
    failed = 0
    if chunk.solo:
        failed = _lose_solo(session, chunk, lease_ms, charge=charge)
    else:
        return_jobs(session, chunk.batch_id, seqs)
        session.execute(
            update(JobRow)
            .where(
                JobRow.batch_id == chunk.batch_id,
                JobRow.seq.in_(seqs),
                JobRow.state == JobState.RETRY,
            )
            .values(solo=True)
        )
    chunk.state, chunk.failed, chunk.lease_until = ChunkState.EXPIRED, failed, None
    return True


def _lose_solo(session: Session, chunk: ChunkRow, lease_ms: int, *, charge: bool) -> int:
    """Count the loss of a job that ran alone; returns how many jobs failed by it, 0 or 1."""
    alive = session.scalar(
        select(WorkerRow.id).where(
            WorkerRow.id == chunk.worker, WorkerRow.seen_at > now_ms() - lease_ms // 2
        )
    )
    seqs = chunk_seqs(chunk.lo, chunk.hi, chunk.seqs)
    mine = (JobRow.batch_id == chunk.batch_id, JobRow.seq.in_(seqs))
    if charge and alive is None:
        session.execute(
            update(JobRow)
            .where(*mine, JobRow.state == JobState.WAITING)
            .values(losses=JobRow.losses + 1)
        )
    failed = session.scalars(
        update(JobRow)
        .where(*mine, JobRow.state == JobState.WAITING, JobRow.losses >= MAX_LOSSES)
        .values(
            state=JobState.FAILED,
            error=f"the worker died each of the {MAX_LOSSES} times it worked on this image alone; "
            "look at the image, then retry",
        )
        .returning(JobRow.seq)
    ).all()
    return_jobs(session, chunk.batch_id, seqs)
    return len(failed)
