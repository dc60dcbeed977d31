"""What only tests ask of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.instances import admitted
from db.jobs import chunk_seqs
from db.models import ChunkRow, InstanceRow, JobRow
from maskpool.domain import JobState
from maskpool.reading_rule import ReadingRule


def counts_by_state(session: Session, batch_id: UUID) -> dict[JobState, int]:
    """A recount from the jobs themselves."""
    rows = session.execute(
        select(JobRow.state, func.count()).where(JobRow.batch_id == batch_id).group_by(JobRow.state)
    )
    return {JobState(state): count for state, count in rows}


def unfolded_chunks(session: Session) -> int:
    """Chunks that are not folded yet."""
    return session.scalar(select(func.count()).select_from(ChunkRow)) or 0


def seqs_of(session: Session, chunk_id: UUID) -> Sequence[int]:
    """The jobs of a chunk, or none where it is folded already."""
    row = session.execute(
        select(ChunkRow.lo, ChunkRow.hi, ChunkRow.seqs).where(ChunkRow.id == chunk_id)
    ).one_or_none()
    return () if row is None else chunk_seqs(row.lo, row.hi, row.seqs)


def instances_of(
    session: Session, batch_id: UUID, seqs: Sequence[int], rule: ReadingRule
) -> list[InstanceRow]:
    """The instances of some jobs that count under a rule, by job and ordinal."""
    rows = session.scalars(
        select(InstanceRow)
        .where(InstanceRow.batch_id == batch_id, InstanceRow.seq.in_(seqs), admitted(rule))
        .order_by(InstanceRow.seq, InstanceRow.ordinal)
    )
    found = list(rows)
    session.expunge_all()
    return found
