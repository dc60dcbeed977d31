"""Cleaning up behind workers: reaping lapsed leases, folding closed chunks, ending batches.

The statements of every round are built once, as those of ``db.chunks.claim``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from db.batches import chunk_seqs, return_jobs
from db.clock import now_ms
from db.costs import cost
from db.models import BatchRow, ChunkRow, JobRow, UserRow, WorkerRow
from maskpool.domain import MAX_LOSSES, BatchState, ChunkState, JobState, Priority

#: Of a batch among its owner's.
_WEIGHT = case({str(one): one.weight for one in Priority}, value=BatchRow.priority)

_LIVE = (BatchState.ACTIVE, BatchState.PAUSED)
_CLOSED = (ChunkState.DONE, ChunkState.EXPIRED, ChunkState.CANCELLED)

_LAPSED = (
    select(ChunkRow.id)
    .where(ChunkRow.state == ChunkState.RUNNING, ChunkRow.lease_until < now_ms())
    .exists()
)
_ANY_LAPSED = select(_LAPSED)

_ANYTHING_TO_DO = select(
    _LAPSED
    | select(ChunkRow.id).where(ChunkRow.state.in_((*_CLOSED, ChunkState.QUEUED))).exists()
    | select(BatchRow.id)
    .where(BatchRow.state == BatchState.ACTIVE, BatchRow.next_seq < BatchRow.total)
    .exists()
    | select(BatchRow.id)
    .where(BatchRow.state.in_(_LIVE), BatchRow.done + BatchRow.failed == BatchRow.total)
    .exists()
    | select(JobRow.seq)
    .join(BatchRow, BatchRow.id == JobRow.batch_id)
    .where(
        BatchRow.state == BatchState.ACTIVE,
        JobRow.next_at.is_not(None),
        JobRow.next_at <= now_ms(),
    )
    .exists()
)

_HOLD = (
    select(BatchRow.id)
    .where(
        or_(
            BatchRow.state.in_(_LIVE),
            BatchRow.id.in_(select(ChunkRow.batch_id).where(ChunkRow.state.in_(_CLOSED))),
        )
    )
    .order_by(BatchRow.id)
    .with_for_update(skip_locked=True)
)

_FOLD = (
    delete(ChunkRow)
    .where(ChunkRow.state.in_(_CLOSED), ChunkRow.batch_id.in_(bindparam("held", expanding=True)))
    .returning(
        ChunkRow.batch_id,
        ChunkRow.state,
        ChunkRow.size,
        ChunkRow.done,
        ChunkRow.failed,
        ChunkRow.gpu_seconds,
        ChunkRow.charged,
        (now_ms() - ChunkRow.created_at).label("held_ms"),
    )
)

_ADD_TO_BATCH = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"))
    .values(
        done=BatchRow.done + bindparam("more_done"),
        failed=BatchRow.failed + bindparam("more_failed"),
        gpu_seconds=BatchRow.gpu_seconds + bindparam("spent"),
        virtual_time=BatchRow.virtual_time + bindparam("correction") / _WEIGHT,
    )
    .returning(BatchRow.owner_id)
)

_ADD_TO_OWNER = (
    update(UserRow)
    .where(UserRow.id == bindparam("owner"))
    .values(virtual_time=UserRow.virtual_time + bindparam("correction") / UserRow.weight)
)

_END = (
    update(BatchRow)
    .where(
        BatchRow.id.in_(bindparam("held", expanding=True)),
        BatchRow.state.in_(_LIVE),
        BatchRow.done + BatchRow.failed == BatchRow.total,
    )
    .values(state=BatchState.DONE, finished_at=now_ms())
    .returning(BatchRow.id)
)


def any_lapsed(session: Session) -> bool:
    """Whether some chunk's lease is over."""
    return bool(session.connection().execute(_ANY_LAPSED).scalar())


def reap_one(session: Session, lease_ms: int, *, charge: bool = True) -> bool:
    """Expire one chunk whose lease lapsed; its unfinished jobs go back.

    One a transaction: whoever waits for the chunk's row waits for as little as possible.

    A lost chunk charges nobody and marks its jobs solo. Only the loss of a solo job counts against
    it, and only if its worker is gone too: a worker that still beats lost its lease, not its life.

    Args:
        session: Its transaction holds the chunk's row.
        lease_ms: What workers lease for.
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


def hold_batches(session: Session) -> Sequence[UUID]:
    """Lock the batches that a tick may write to, all at once and before anything else.

    Whoever cancels, pauses or resumes locks a batch first, too, and then what belongs to it: the
    other way round is a deadlock. A batch that somebody holds just now – cancelling a million jobs
    takes a while – is left to the next tick, so that it stops no other.
    """
    return session.connection().execute(_HOLD).scalars().all()


def fold(session: Session, held: Sequence[UUID]) -> int:
    """Add closed chunks to their batches and owners and delete them; returns how many.

    Args:
        session: Holds the rows of the batches ``held``.
        held: Of these alone.
    """
    if not held:
        return 0
    closed = session.connection().execute(_FOLD, {"held": held}).all()
    sums: dict[UUID, list[float]] = {}
    for chunk in closed:
        entry = sums.setdefault(chunk.batch_id, [0, 0, 0.0, 0.0])
        values = (chunk.done, chunk.failed, chunk.gpu_seconds, _owed(chunk) - chunk.charged)
        for place, value in enumerate(values):
            entry[place] += value
    for batch_id in sorted(sums):
        _add(session, batch_id, sums[batch_id])
    return len(closed)


def _owed(chunk: Any) -> float:  # noqa: ANN401 - a Row of the statement above
    """GPU-seconds for the clocks; a chunk that was lost or taken back costs nothing."""
    if chunk.state != ChunkState.DONE:
        return 0.0
    return cost(
        size=chunk.size,
        done=chunk.done,
        spent=chunk.gpu_seconds,
        charged=chunk.charged,
        held=chunk.held_ms / 1000,
    )


def _add(session: Session, batch_id: UUID, sums: Sequence[float]) -> None:
    done, failed, spent, correction = sums
    connection = session.connection()
    more = {
        "batch": batch_id,
        "more_done": int(done),
        "more_failed": int(failed),
        "spent": spent,
        "correction": correction,
    }
    owner_id = connection.execute(_ADD_TO_BATCH, more).scalar()
    if owner_id is not None:  # else the batch was removed meanwhile
        connection.execute(_ADD_TO_OWNER, {"owner": owner_id, "correction": correction})


def end_batches(session: Session, held: Sequence[UUID]) -> list[UUID]:
    """DONE is when every job has ended; a batch may end while it is paused. Of those held alone."""
    if not held:
        return []
    return list(session.connection().execute(_END, {"held": held}).scalars())


def anything_to_do(session: Session) -> bool:
    """Whether a tick would write: lets an idle SQLite stack only read."""
    return bool(session.connection().execute(_ANYTHING_TO_DO).scalar())


def live_chunks(session: Session) -> int:
    """Chunks that are not folded yet."""
    return session.scalar(select(func.count()).select_from(ChunkRow)) or 0
