"""Folding closed chunks into their batches' counters and clocks, and ending batches.

The statements of every tick are built once, as those of ``db.turns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, update
from sqlalchemy.orm import Session

from db import counting
from db.clock import now_ms
from db.models import BatchRow, ChunkRow
from db.turns import Sums, settle
from maskpool.domain import BatchState, ChunkState
from maskpool.fairness import cost

_FOLD = (
    delete(ChunkRow)
    .where(
        ChunkRow.state.in_(ChunkState.closed()),
        ChunkRow.batch_id.in_(bindparam("held", expanding=True)),
    )
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

_END = (
    update(BatchRow)
    .where(
        BatchRow.id.in_(bindparam("held", expanding=True)),
        BatchRow.state.in_(BatchState.live()),
        BatchRow.done + BatchRow.failed == BatchRow.total,
    )
    .values(state=BatchState.DONE, finished_at=now_ms())
    .returning(BatchRow.id, BatchRow.total)
)


def fold(session: Session, held: Sequence[UUID]) -> int:
    """Add closed chunks to their batches and owners and delete them; returns how many.

    Args:
        session: Holds the rows of the batches ``held``.
        held: Only chunks of these batches are folded.
    """
    if not held:
        return 0
    closed = session.connection().execute(_FOLD, {"held": held}).all()
    by_batch: dict[UUID, Sums] = {}
    for chunk in closed:
        sums = by_batch.setdefault(chunk.batch_id, Sums())
        sums.done += chunk.done
        sums.failed += chunk.failed
        sums.spent += chunk.gpu_seconds
        sums.correction += _cost(chunk) - chunk.charged
    for batch_id in sorted(by_batch):
        settle(session, batch_id, by_batch[batch_id])
    return len(closed)


def _cost(chunk: Any) -> float:  # noqa: ANN401 - a Row of the statement above
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


def end_batches(session: Session, held: Sequence[UUID]) -> list[UUID]:
    """End those of the batches ``held``, also paused ones, whose every job has ended.

    In the same transaction a clerk is asked to count what was found in those that are large.
    """
    if not held:
        return []
    ended = session.connection().execute(_END, {"held": held}).all()
    for batch_id, total in ended:
        if total > counting.MANY:
            counting.ask(session, batch_id)
    return [batch_id for batch_id, _ in ended]
