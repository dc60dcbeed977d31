"""Comparing rows with each other, for the checker and the collector; nothing is written.

Each query returns only suspicious rows, a page at a time, so that a sound batch of a million jobs
costs the database a few scans and this process almost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import (
    BatchRow,
    ChunkRow,
    CountRow,
    InstanceRow,
    JobRow,
    ScoreBlockRow,
    ScoreCountRow,
    TaskRow,
    UncertaintyRow,
    UploadRow,
    UploadUseRow,
)
from maskpool.domain import MAX_ATTEMPTS, MAX_LOSSES, BatchState, JobState
from maskpool.tasks import TaskState

#: States that a job may have while its batch is in a state.
_ALLOWED = {
    BatchState.LOADING: (JobState.WAITING,),
    BatchState.ACTIVE: (*JobState.open(), *JobState.counted()),
    BatchState.PAUSED: (*JobState.open(), *JobState.counted()),
    BatchState.DONE: JobState.counted(),
    BatchState.CANCELLED: (*JobState.counted(), JobState.CANCELLED),
}

_RESULT = (
    JobRow.masks_key,
    JobRow.masks_offset,
    JobRow.masks_length,
    JobRow.width,
    JobRow.height,
    JobRow.n_instances,
)


def now(session: Session) -> int:
    """Milliseconds since 1970 by the database's clock."""
    return session.scalar(select(now_ms())) or 0


def batch_ids(session: Session, after: UUID | None, limit: int) -> list[UUID]:
    """A page of all batches."""
    query = select(BatchRow.id).order_by(BatchRow.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(BatchRow.id > after)))


def batch(session: Session, batch_id: UUID) -> BatchRow | None:
    """The row itself, or None where it is gone."""
    return session.get(BatchRow, batch_id)


def chunks(session: Session, batch_id: UUID) -> list[ChunkRow]:
    """The chunks of a batch that are not folded yet; the window keeps them few."""
    query = select(ChunkRow).where(ChunkRow.batch_id == batch_id).order_by(ChunkRow.id)
    return list(session.scalars(query))


def counts(session: Session, batch_id: UUID) -> dict[int, int]:
    """A recount of a batch's jobs by state, states that there should not be included."""
    rows = session.execute(
        select(JobRow.state, func.count()).where(JobRow.batch_id == batch_id).group_by(JobRow.state)
    )
    return {state: count for state, count in rows}  # noqa: C416 - a Row is no pair to mypy


def broken_sequence(
    session: Session, batch_id: UUID, *, after: int, limit: int
) -> list[tuple[int, int]]:
    """Jobs whose ``seq`` is not one more than the previous job's, each with the previous ``seq``.

    The first job's predecessor counts as -1.
    """
    inner = (
        select(JobRow.seq, func.lag(JobRow.seq, 1, -1).over(order_by=JobRow.seq).label("before"))
        .where(JobRow.batch_id == batch_id)
        .subquery()
    )
    rows = session.execute(
        select(inner.c.seq, inner.c.before)
        .where(inner.c.seq != inner.c.before + 1, inner.c.seq > after)
        .order_by(inner.c.seq)
        .limit(limit)
    )
    return [(row.seq, row.before) for row in rows]


def last_seq(session: Session, batch_id: UUID) -> int:
    """The highest ``seq``, or -1 where there is no job."""
    last = session.scalar(select(func.max(JobRow.seq)).where(JobRow.batch_id == batch_id))
    return -1 if last is None else last


def job_rules(state: BatchState) -> dict[str, ColumnElement[bool]]:
    """Conditions that no job of a batch in ``state`` may meet, by what is said of them."""
    empty = or_(JobRow.error.is_(None), JobRow.error == "")
    return {
        "state": JobRow.state.not_in(_ALLOWED[state]),
        "attempts": or_(JobRow.attempts > MAX_ATTEMPTS, JobRow.attempts < 0),
        "losses": or_(JobRow.losses > MAX_LOSSES, JobRow.losses < 0),
        # In RETRY without a time it would never be claimed again.
        "next-at": (JobRow.state == JobState.RETRY) != JobRow.next_at.is_not(None),
        "error": or_(
            and_(JobRow.state == JobState.FAILED, empty),
            and_(JobRow.state == JobState.DONE, JobRow.error.is_not(None)),
        ),
        "result": or_(
            and_(JobRow.state == JobState.DONE, or_(*(one.is_(None) for one in _RESULT))),
            and_(JobRow.state != JobState.DONE, or_(*(one.is_not(None) for one in _RESULT))),
        ),
    }


def broken_jobs(
    session: Session, batch_id: UUID, state: BatchState, *, after: int, limit: int
) -> list[tuple[JobRow, list[str]]]:
    """Jobs that break a rule, each with the names of the rules it breaks."""
    rules = job_rules(state)
    rows: Sequence[Any] = session.execute(
        select(JobRow, *(rule.label(name) for name, rule in rules.items()))
        .where(JobRow.batch_id == batch_id, JobRow.seq > after, or_(*rules.values()))
        .order_by(JobRow.seq)
        .limit(limit)
    ).all()
    return [
        (job, [name for name, breaks in zip(rules, flags, strict=True) if breaks])
        for job, *flags in rows
    ]


def claimed_waiting(
    session: Session, batch_id: UUID, below: int, *, after: int, limit: int
) -> list[int]:
    """WAITING jobs that were claimed once: a live chunk must hold each of them."""
    return list(
        session.scalars(
            select(JobRow.seq)
            .where(
                JobRow.batch_id == batch_id,
                JobRow.state == JobState.WAITING,
                JobRow.seq < below,
                JobRow.seq > after,
            )
            .order_by(JobRow.seq)
            .limit(limit)
        )
    )


def states_of(session: Session, batch_id: UUID, seqs: Collection[int]) -> dict[int, int]:
    """The states of some jobs; those that are missing have none."""
    rows = session.execute(
        select(JobRow.seq, JobRow.state).where(JobRow.batch_id == batch_id, JobRow.seq.in_(seqs))
    )
    return {seq: state for seq, state in rows}  # noqa: C416 - a Row is no pair to mypy


def stray_instances(
    session: Session, batch_id: UUID, *, after: int, limit: int
) -> list[tuple[int, int]]:
    """Jobs that are not DONE or are missing but have rows of instances, and how many."""
    rows = session.execute(
        select(InstanceRow.seq, func.count().label("rows"))
        .outerjoin(
            JobRow, and_(JobRow.batch_id == InstanceRow.batch_id, JobRow.seq == InstanceRow.seq)
        )
        .where(
            InstanceRow.batch_id == batch_id,
            InstanceRow.seq > after,
            or_(JobRow.state.is_(None), JobRow.state != JobState.DONE),
        )
        .group_by(InstanceRow.seq)
        .order_by(InstanceRow.seq)
        .limit(limit)
    )
    return [(row.seq, row.rows) for row in rows]


def rows_of_no_batch(session: Session, *, limit: int) -> list[tuple[str, UUID]]:
    """Tables with rows of batches that are gone, and which batches."""
    found = []
    counts = (CountRow, ScoreCountRow, UncertaintyRow, ScoreBlockRow)
    for table in (JobRow, InstanceRow, ChunkRow, *counts):
        gone = (
            select(table.batch_id)
            .where(~select(BatchRow.id).where(BatchRow.id == table.batch_id).exists())
            .distinct()
            .limit(limit)
        )
        found += [(table.__tablename__, batch_id) for batch_id in session.scalars(gone)]
    return found


def jobs_at(session: Session, batch_id: UUID, seqs: Collection[int]) -> dict[int, JobRow]:
    """Some jobs by ``seq``."""
    rows = session.scalars(
        select(JobRow).where(JobRow.batch_id == batch_id, JobRow.seq.in_(seqs))
    ).all()
    session.expunge_all()
    return {row.seq: row for row in rows}


def instances_at(
    session: Session, batch_id: UUID, seqs: Collection[int]
) -> dict[int, list[InstanceRow]]:
    """Every instance's row of some jobs, by ``seq`` and in order."""
    rows = session.scalars(
        select(InstanceRow)
        .where(InstanceRow.batch_id == batch_id, InstanceRow.seq.in_(seqs))
        .order_by(InstanceRow.seq, InstanceRow.ordinal)
    ).all()
    session.expunge_all()
    found: dict[int, list[InstanceRow]] = {}
    for row in rows:
        found.setdefault(row.seq, []).append(row)
    return found


def chunks_there(session: Session, chunk_ids: Collection[UUID]) -> set[UUID]:
    """Those of the chunks that are not folded yet."""
    return set(session.scalars(select(ChunkRow.id).where(ChunkRow.id.in_(chunk_ids))))


def masks_named(
    session: Session, batch_ids: Collection[UUID], masks_keys: Collection[str]
) -> set[str]:
    """Those of the masks' keys that a job's row names. Reads the batches' jobs once."""
    return set(
        session.scalars(
            select(JobRow.masks_key)
            .where(JobRow.batch_id.in_(batch_ids), JobRow.masks_key.in_(masks_keys))
            .distinct()
        )
    )


def uploads_there(session: Session, upload_ids: Collection[UUID]) -> set[UUID]:
    """Those of the uploads that are there."""
    return set(session.scalars(select(UploadRow.id).where(UploadRow.id.in_(upload_ids))))


def exports_made(session: Session, task_ids: Collection[UUID]) -> dict[UUID, frozenset[str] | None]:
    """The keys that each of the tasks says it made; None of one that has not ended."""
    rows = session.execute(
        select(TaskRow.id, TaskRow.state, TaskRow.result).where(TaskRow.id.in_(task_ids))
    )
    return {
        task_id: None
        if state in TaskState.open()
        else frozenset(str(file["key"]) for file in (result or {}).get("files", ()))
        for task_id, state, result in rows
    }


def broken_tasks(session: Session, *, limit: int) -> list[tuple[UUID, str]]:
    """Tasks whose row contradicts itself, each with what is wrong."""
    running = TaskRow.state == TaskState.RUNNING
    ended = TaskRow.state.not_in(TaskState.open())
    rules = {
        "it is running and has no lease, or has one and is not": running
        != and_(TaskRow.lease_id.is_not(None), TaskRow.lease_until.is_not(None)),
        "it has ended and nobody knows when, or the other way round": ended
        != and_(TaskRow.finished_at.is_not(None), TaskRow.expires_at.is_not(None)),
        "it is done without a result, or has one and is not": (TaskRow.state == TaskState.DONE)
        != TaskRow.result.is_not(None),
        "it failed without a sentence": and_(
            TaskRow.state == TaskState.FAILED, func.coalesce(TaskRow.error, "") == ""
        ),
    }
    found = []
    for sentence, rule in rules.items():
        ids = session.scalars(select(TaskRow.id).where(rule).order_by(TaskRow.id).limit(limit))
        found += [(task_id, sentence) for task_id in ids]
    return found


def lapsed_tasks(session: Session, *, since_ms: int, limit: int) -> list[UUID]:
    """Running tasks whose lease lapsed so long ago."""
    lapsed = TaskRow.lease_until < now_ms() - since_ms
    running = TaskRow.state == TaskState.RUNNING
    return list(session.scalars(select(TaskRow.id).where(running, lapsed).limit(limit)))


def uses_of_no_batch(session: Session, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Uploads that are kept for a batch that is gone, with that batch."""
    there = select(BatchRow.id).where(BatchRow.id == UploadUseRow.batch_id).exists()
    rows = session.execute(
        select(UploadUseRow.upload_id, UploadUseRow.batch_id).where(~there).limit(limit)
    )
    return [(row.upload_id, row.batch_id) for row in rows]


def batches_there(session: Session, batch_ids: Collection[UUID]) -> set[UUID]:
    """Those of the batches that are there, in whatever state."""
    return set(session.scalars(select(BatchRow.id).where(BatchRow.id.in_(batch_ids))))
