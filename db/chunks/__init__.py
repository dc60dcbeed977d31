"""A chunk in a worker's hands: taken, kept by heartbeats, finished. Its id is the fencing token.

A large pool's database does this most of the time, so Postgres has faster statements of its own.
SQLite has plain ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.chunks import postgres, sqlite
from db.chunks.records import Done, Failed, JobEnd, Returned, TakenChunk
from db.session import is_postgres
from maskpool.domain import BatchState
from maskpool.errors import LeaseLost

__all__ = ["Done", "Failed", "JobEnd", "Returned", "TakenChunk", "extend", "finish", "take"]


class Statements(Protocol):
    """What a database's module has: the functions below, before errors and states are named."""

    def take(
        self, session: Session, chunk_id: UUID, worker: UUID, *, solo: bool, lease_ms: int
    ) -> TakenChunk | None:
        """See ``db.chunks.take``."""

    def extend(
        self, session: Session, worker: UUID, chunk_ids: Sequence[UUID], lease_ms: int
    ) -> Sequence[Row[UUID, int]]:
        """Pairs of a chunk that is still the worker's and its batch's state."""

    def finish(
        self,
        session: Session,
        worker: UUID,
        chunk_id: UUID,
        ends: Sequence[JobEnd],
        gpu_seconds: float,
    ) -> bool:
        """Whether the chunk was still the worker's; else nothing is written."""


def _statements(session: Session) -> Statements:
    if is_postgres(session):
        return postgres
    return sqlite


def take(
    session: Session, chunk_id: UUID, worker: UUID, *, solo: bool, lease_ms: int
) -> TakenChunk | None:
    """QUEUED → RUNNING under a lease; also this worker's own chunk, as a reply may be lost.

    Returns:
        None where the chunk cannot be taken: it is done, expired, cancelled or another
            worker's. Drop the message then.
    """
    return _statements(session).take(session, chunk_id, worker, solo=solo, lease_ms=lease_ms)


def extend(
    session: Session, worker: UUID, chunk_ids: Sequence[UUID], *, lease_ms: int
) -> dict[UUID, BatchState]:
    """Extend the leases of the chunks in hand.

    Returns:
        The batch's state for each chunk that is still ours; a chunk that is missing is lost.
    """
    if not chunk_ids:
        return {}
    kept = _statements(session).extend(session, worker, chunk_ids, lease_ms)
    return {chunk_id: BatchState(state) for chunk_id, state in kept}


def finish(
    session: Session, worker: UUID, chunk_id: UUID, ends: Sequence[JobEnd], *, gpu_seconds: float
) -> None:
    """End a chunk's jobs, write their instances and close the chunk, all under its lock.

    Args:
        session: Its transaction holds all of these writes.
        worker: The id of the worker that finishes.
        chunk_id: The fencing token.
        ends: Exactly the jobs that were taken.
        gpu_seconds: The device's time for these jobs.

    Raises:
        LeaseLost: The chunk is not RUNNING or not ours any more; nothing is written.
    """
    if not _statements(session).finish(session, worker, chunk_id, ends, gpu_seconds):
        raise LeaseLost(f"chunk {chunk_id} was given to another worker or cancelled")
