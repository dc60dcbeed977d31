"""A chunk in a worker's hands: taken, kept by heartbeats, finished. Its id is the fencing token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, insert, or_, select, update
from sqlalchemy.orm import Session

from db.batches import chunk_seqs
from db.clock import now_ms
from db.jobs import raw_connection
from db.models import BatchRow, ChunkRow, InstanceRow, JobRow
from maskpool.domain import BatchState, ChunkState, Instance, Job, JobState
from maskpool.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class TakenChunk:
    """What a worker holds: the jobs, and the batch's spec as stored."""

    batch_id: UUID
    chunk_id: UUID
    spec: dict[str, Any]
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How one job leaves a chunk.

    Attributes:
        seq: Which job.
        state: DONE, FAILED, or RETRY.
        attempts: Transient errors so far.
        delay_ms: In RETRY: how long it rests before it may be claimed again.
    """

    seq: int
    state: JobState
    attempts: int = 0
    delay_ms: int = 0
    masks_key: str | None = None
    masks_offset: int | None = None
    masks_length: int | None = None
    width: int | None = None
    height: int | None = None
    error: str | None = None
    instances: tuple[Instance, ...] = field(default=(), repr=False)


def take(
    session: Session, chunk_id: UUID, worker: UUID, *, solo: bool, lease_ms: int
) -> TakenChunk | None:
    """QUEUED → RUNNING under a lease; also a chunk that is mine already, whose reply was lost.

    Returns:
        None where the chunk is not to be had: done, expired, cancelled or another's. Drop the
        message then.
    """
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
        select(JobRow.seq, JobRow.name, JobRow.image_uri, JobRow.attempts)
        .where(JobRow.batch_id == chunk.batch_id, which, JobRow.state == JobState.WAITING)
        .order_by(JobRow.seq)
    )
    spec = session.scalars(select(BatchRow.spec).where(BatchRow.id == chunk.batch_id)).one()
    return TakenChunk(chunk.batch_id, chunk_id, spec, tuple(Job(*job) for job in jobs))


def extend(
    session: Session, worker: UUID, chunk_ids: Sequence[UUID], *, lease_ms: int
) -> dict[UUID, BatchState]:
    """Extend the leases of the chunks in hand.

    Returns:
        The batch's state for each chunk that is still ours; a chunk that is missing is lost.
    """
    if not chunk_ids:
        return {}
    # A subquery: SQLite's RETURNING knows no joined table and would give the chunk's own state.
    batch_state = (
        select(BatchRow.state)
        .where(BatchRow.id == ChunkRow.batch_id)
        .correlate(ChunkRow)
        .scalar_subquery()
    )
    kept = session.execute(
        update(ChunkRow)
        .where(
            ChunkRow.id.in_(chunk_ids),
            ChunkRow.worker == worker,
            ChunkRow.state == ChunkState.RUNNING,
        )
        .values(lease_until=now_ms() + lease_ms)
        .returning(ChunkRow.id, batch_state)
    )
    return {chunk_id: BatchState(state) for chunk_id, state in kept}


def finish(
    session: Session, worker: UUID, chunk_id: UUID, ends: Sequence[JobEnd], *, gpu_seconds: float
) -> None:
    """End a chunk's jobs, write their instances and close the chunk, all under its lock.

    Args:
        session: The one transaction of this.
        worker: Who finishes.
        chunk_id: The fencing token.
        ends: Exactly the jobs that were taken.
        gpu_seconds: The device's time for them.

    Raises:
        LeaseLost: The chunk is not RUNNING or not ours any more; nothing is written.
    """
    batch_id = session.execute(
        update(ChunkRow)
        .where(
            ChunkRow.id == chunk_id,
            ChunkRow.state == ChunkState.RUNNING,
            ChunkRow.worker == worker,
        )
        .values(
            state=ChunkState.DONE,
            done=sum(end.state == JobState.DONE for end in ends),
            failed=sum(end.state == JobState.FAILED for end in ends),
            gpu_seconds=gpu_seconds,
            lease_until=None,
        )
        .returning(ChunkRow.batch_id)
    ).scalar_one_or_none()
    if batch_id is None:
        raise LeaseLost(f"chunk {chunk_id} was given to another worker or cancelled")
    if not ends:
        return
    now = session.scalar(select(now_ms())) or 0
    if session.get_bind().dialect.name == "postgresql":
        _end_jobs_postgres(session, batch_id, ends, now)
        _copy_instances(session, batch_id, ends)
    else:
        _end_jobs(session, batch_id, ends, now)
        _insert_instances(session, batch_id, ends)


def _columns(end: JobEnd, now: int) -> tuple[Any, ...]:
    """Seq and the new values of a job's row, in the order of both statements below."""
    done = end.state == JobState.DONE
    return (
        end.seq,
        int(end.state),
        now + end.delay_ms if end.state == JobState.RETRY else None,
        end.attempts,
        end.masks_key,
        end.masks_offset,
        end.masks_length,
        end.width,
        end.height,
        len(end.instances) if done else None,
        None if end.error is None else _storable(end.error),
    )


def _storable(sentence: str) -> str:
    """Postgres stores neither NUL nor lone surrogates, and an error may quote anything."""
    return sentence.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


_END_JOBS_POSTGRES = """
UPDATE jobs j SET state = u.state, next_at = u.next_at, attempts = u.attempts,
       masks_key = u.masks_key, masks_offset = u.masks_offset, masks_length = u.masks_length,
       width = u.width, height = u.height, n_instances = u.n_instances, error = u.error
  FROM unnest(%s::int[], %s::smallint[], %s::bigint[], %s::smallint[], %s::text[], %s::int[],
              %s::int[], %s::int[], %s::int[], %s::int[], %s::text[])
       AS u(seq, state, next_at, attempts, masks_key, masks_offset, masks_length,
            width, height, n_instances, error)
 WHERE j.batch_id = %s AND j.seq = u.seq
"""


def _end_jobs_postgres(session: Session, batch_id: UUID, ends: Sequence[JobEnd], now: int) -> None:
    arrays = [list(column) for column in zip(*(_columns(end, now) for end in ends), strict=True)]
    with raw_connection(session).cursor() as cursor:
        cursor.execute(_END_JOBS_POSTGRES, [*arrays, batch_id])


def _end_jobs(session: Session, batch_id: UUID, ends: Sequence[JobEnd], now: int) -> None:
    names = [*("state", "next_at", "attempts", "masks_key", "masks_offset", "masks_length")]
    names += ["width", "height", "n_instances", "error"]
    statement = (
        update(JobRow.__table__)  # type: ignore[arg-type]
        .where(JobRow.batch_id == bindparam("of_batch"), JobRow.seq == bindparam("of_seq"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    rows = []
    for end in ends:
        seq, *values = _columns(end, now)
        new = {f"new_{name}": value for name, value in zip(names, values, strict=True)}
        rows.append({"of_batch": batch_id, "of_seq": seq, **new})
    session.connection().execute(statement, rows)


_INSTANCE_COLUMNS = (
    "batch_id",
    "seq",
    "ordinal",
    "prompt_index",
    "x",
    "y",
    "w",
    "h",
    "area",
    "score",
    "overlap",
    "clip_score",
)
_INSTANCE_TYPES = (
    "uuid",
    *("int4", "int2", "int2"),
    *("int4",) * 5,
    *("float4",) * 3,
)


def _instance_values(batch_id: UUID, ends: Iterable[JobEnd]) -> Iterable[tuple[Any, ...]]:
    for end in ends:
        for ordinal, instance in enumerate(end.instances):
            x0, y0, x1, y1 = instance.found.box_xyxy
            yield (
                batch_id,
                end.seq,
                ordinal,
                instance.found.prompt_index,
                int(x0),
                int(y0),
                int(x1 - x0),
                int(y1 - y0),
                instance.area,
                instance.found.score,
                instance.overlap,
                instance.clip_score,
            )


def _copy_instances(session: Session, batch_id: UUID, ends: Sequence[JobEnd]) -> None:
    statement = f"COPY instances ({', '.join(_INSTANCE_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
    with raw_connection(session).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_INSTANCE_TYPES)
        for values in _instance_values(batch_id, ends):
            copy.write_row(values)


def _insert_instances(session: Session, batch_id: UUID, ends: Sequence[JobEnd]) -> None:
    rows = [
        dict(zip(_INSTANCE_COLUMNS, values, strict=True))
        for values in _instance_values(batch_id, ends)
    ]
    if rows:
        session.execute(insert(InstanceRow), rows)


def seqs_of(session: Session, chunk_id: UUID) -> Sequence[int]:
    """The jobs of a chunk, or none where it is folded already."""
    row = session.execute(
        select(ChunkRow.lo, ChunkRow.hi, ChunkRow.seqs).where(ChunkRow.id == chunk_id)
    ).one_or_none()
    return () if row is None else chunk_seqs(row.lo, row.hi, row.seqs)
