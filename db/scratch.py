"""Scratch batches: they hold single images that somebody asks about, and grow meanwhile.

One for each user, model, question and day; lists leave them out. Growing is one statement under the
batch's row lock, which a tick holds as well while it claims, folds and ends: what it reads of the
batch stays true until it commits.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from db import batches
from db.batches import NewBatch
from db.clock import now_ms
from db.models import BatchRow, ChunkRow, JobRow, UserRow
from db.turns import catch_up
from maskpool.domain import BatchState, ChunkState, ImageRef, JobState
from maskpool.errors import Conflict

_DAY_MS = 24 * 3600 * 1000

# Every call runs these. Building one costs SQLAlchemy more than running it, so they are built once.
_NOW = select(now_ms())

_FIND = (
    select(BatchRow.id)
    .join(UserRow, UserRow.id == BatchRow.owner_id)
    .where(
        UserRow.name == bindparam("owner"),
        BatchRow.idempotency_key == bindparam("key"),
        BatchRow.scratch,
    )
)

_HOLD = (
    select(BatchRow.state, BatchRow.scratch)
    .where(BatchRow.id == bindparam("batch"), BatchRow.deleted_at.is_(None))
    .with_for_update()
)

_GROW = (
    update(BatchRow)
    .where(
        BatchRow.id == bindparam("batch"),
        BatchRow.state.in_((BatchState.ACTIVE, BatchState.DONE)),
    )
    .values(
        state=BatchState.ACTIVE,
        total=BatchRow.total + 1,
        loaded=BatchRow.loaded + 1,
        finished_at=None,
    )
    .returning(BatchRow.total)
)

_ADD = insert(JobRow)

_HOLD_OWNER = select(UserRow.id).where(UserRow.id == bindparam("owner")).with_for_update()

# One statement, so that a chunk is counted as open or as folded, and never as both.
_CLOSED = (
    select(func.coalesce(func.sum(ChunkRow.done + ChunkRow.failed), 0))
    .where(ChunkRow.batch_id == BatchRow.id, ChunkRow.state == ChunkState.DONE)
    .correlate(BatchRow)
    .scalar_subquery()
)
_OPEN = select(
    func.coalesce(func.sum(BatchRow.total - BatchRow.done - BatchRow.failed - _CLOSED), 0)
).where(
    BatchRow.scratch,
    BatchRow.state == BatchState.ACTIVE,
    BatchRow.owner_id == bindparam("owner"),
)

_WHOSE = select(BatchRow.owner_id, BatchRow.team_id).where(
    BatchRow.id == bindparam("batch"), BatchRow.scratch, BatchRow.deleted_at.is_(None)
)

_ENDED = (*JobState.counted(), JobState.CANCELLED)


def today(session: Session) -> int:
    """The day by the database's clock: days since 1970, UTC."""
    return int(session.connection().execute(_NOW).scalar_one()) // _DAY_MS


def find_or_create(session: Session, new: NewBatch, team_id: UUID | None) -> UUID:
    """The scratch batch of a key; a new one is empty and DONE, and so ready to grow.

    Raises:
        Conflict: The key belongs to a batch of another question.
    """
    asked = {"owner": new.owner, "key": new.idempotency_key}
    found: UUID | None = session.connection().execute(_FIND, asked).scalar()
    if found is not None:
        return found
    batch_id = batches.create_or_find(session, new).batch_id
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.state == BatchState.LOADING)
        .values(scratch=True, team_id=team_id, state=BatchState.DONE, finished_at=now_ms())
    )
    return batch_id


def append(session: Session, batch_id: UUID, image: ImageRef) -> int | None:
    """Let a scratch batch grow by one job: ACTIVE | DONE → ACTIVE, total + 1.

    Returns:
        The job's ``seq``; None where the batch is gone, as at the end of its day.

    Raises:
        Conflict: Somebody paused or cancelled the batch.
    """
    connection = session.connection()
    before = connection.execute(_HOLD, {"batch": batch_id}).one_or_none()
    if before is None or not before.scratch:
        return None
    total = connection.execute(_GROW, {"batch": batch_id}).scalar()
    if total is None:
        raise Conflict(
            f"batch {batch_id}, which holds what you ask today, is "
            f"{BatchState(before.state).label}; resume it, or remove it (maskpool rm)",
            code="predict.paused",
            params={"batch": str(batch_id), "state": BatchState(before.state).label},
        )
    job = {
        "batch_id": batch_id,
        "seq": total - 1,
        "name": image.name,
        "image_uri": image.uri,
        "prompts": None if image.prompts is None else json.loads(image.prompts),
    }
    connection.execute(_ADD, job)
    if before.state == BatchState.DONE:
        catch_up(session, batch_id)
    return int(total) - 1


def in_flight(session: Session, owner_id: int) -> int:
    """Jobs of an owner's scratch batches that have not ended; what is not folded yet has.

    Holds the owner's row, so that two who ask at once are counted one after the other. Call it
    after the batch is held: a tick takes them in this order, too.
    """
    connection = session.connection()
    connection.execute(_HOLD_OWNER, {"owner": owner_id})
    return int(connection.execute(_OPEN, {"owner": owner_id}).scalar_one())


def ended(session: Session, asked: Collection[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Those of the jobs that have ended, or are gone."""
    by_batch: dict[UUID, list[int]] = {}
    for batch_id, seq in asked:
        by_batch.setdefault(batch_id, []).append(seq)
    which = [
        and_(JobRow.batch_id == batch_id, JobRow.seq.in_(seqs))
        for batch_id, seqs in by_batch.items()
    ]
    rows = session.execute(
        select(JobRow.batch_id, JobRow.seq).where(or_(*which), JobRow.state.not_in(_ENDED))
    )
    return set(asked) - {(row.batch_id, row.seq) for row in rows} if which else set()


def whose(session: Session, batch_id: UUID) -> tuple[int, UUID | None] | None:
    """Owner and team of a scratch batch; None where there is none."""
    row = session.connection().execute(_WHOSE, {"batch": batch_id}).one_or_none()
    return None if row is None else (row.owner_id, row.team_id)


def past(session: Session, *, days: int = 1, limit: int = 100) -> Sequence[UUID]:
    """Scratch batches made before today and ``days`` days; the clerk removes them."""
    before = (today(session) - days) * _DAY_MS
    return session.scalars(
        select(BatchRow.id)
        .where(BatchRow.scratch, BatchRow.created_at < before, BatchRow.deleted_at.is_(None))
        .order_by(BatchRow.id)
        .limit(limit)
    ).all()
