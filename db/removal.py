"""Taking a batch or an upload away, in blocks: in one, SQLite's lock would be held for seconds.

A batch is marked first. From then on nobody sees it, nothing is accepted for it, and whoever dies
on the way leaves something that can be gone on with.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import String, case, cast, delete, literal, select, tuple_, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import (
    BatchRow,
    ChunkRow,
    CountRow,
    InstanceRow,
    JobRow,
    KeptRow,
    ReadingChangeRow,
    ScoreBlockRow,
    ScoreCountRow,
    UncertaintyRow,
    UploadFileRow,
    UploadRow,
    UploadUseRow,
)
from maskpool.domain import BatchState, ChunkState
from maskpool.errors import Conflict, NotFound

#: Rows in one transaction.
BLOCK = 10_000


class Cut(NamedTuple):
    """A block of rows that is gone.

    Attributes:
        rows: How many.
        last: The highest ``seq`` of them; None where nothing is left behind it.
    """

    rows: int
    last: int | None


def mark_deleted(session: Session, batch_id: UUID) -> None:
    """Have nobody see a batch any more; one that still runs is cancelled.

    Its key is free at once, for another batch of its owner.

    Raises:
        NotFound: There is no such batch, or it was deleted already.
    """
    marked = session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.deleted_at.is_(None))
        .values(
            deleted_at=now_ms(),
            finished_at=case(
                (BatchRow.finished_at.is_(None), now_ms()), else_=BatchRow.finished_at
            ),
            state=case(
                (BatchRow.state.in_(BatchState.open()), BatchState.CANCELLED), else_=BatchRow.state
            ),
            idempotency_key=literal("deleted:") + cast(BatchRow.id, String),
        )
        .returning(BatchRow.id)
    ).one_or_none()
    if marked is None:
        raise NotFound(f"there is no batch {batch_id}")
    session.execute(
        update(ChunkRow)
        .where(ChunkRow.batch_id == batch_id, ChunkRow.state.in_(ChunkState.open()))
        .values(state=ChunkState.CANCELLED, lease_until=None)
    )


def require_ended(session: Session, batch_id: UUID) -> None:
    """Refuse to remove what still runs; its row stays locked until the transaction ends.

    Raises:
        Conflict: The batch is active or paused.
    """
    state = session.scalar(select(BatchRow.state).where(BatchRow.id == batch_id).with_for_update())
    if state in BatchState.live():
        label = BatchState(state).label
        sentence = f"batch {batch_id} is {label}; cancel it first"
        raise Conflict(sentence, code="batch.live", params={"state": label})


def remove_instances(session: Session, batch_id: UUID, *, after: int) -> Cut:
    """Delete a block of a batch's instances, those of the jobs behind ``after``."""
    return _remove_block(session, InstanceRow, batch_id, after)


def remove_jobs(session: Session, batch_id: UUID, *, after: int) -> Cut:
    """Delete a block of a batch's jobs, those behind ``after``."""
    return _remove_block(session, JobRow, batch_id, after)


def _remove_block(session: Session, table: Any, batch_id: UUID, after: int) -> Cut:  # noqa: ANN401 - a table
    mine = (table.batch_id == batch_id, table.seq > after)
    last = session.scalar(
        select(table.seq).where(*mine).order_by(table.seq).offset(BLOCK - 1).limit(1)
    )
    up_to = () if last is None else (table.seq <= last,)
    gone: Any = session.execute(delete(table).where(*mine, *up_to))
    return Cut(gone.rowcount, last)


def remove_uncertainties(session: Session, batch_id: UUID, *, before: int | None = None) -> int:
    """Delete a block of a batch's uncertainties; returns how many: fewer than a block at the end.

    Args:
        session: Written to.
        batch_id: Whose.
        before: Only those of versions before this one; None: all.
    """
    key = tuple_(UncertaintyRow.version, UncertaintyRow.distance, UncertaintyRow.seq)
    which = [UncertaintyRow.batch_id == batch_id]
    if before is not None:
        which.append(UncertaintyRow.version < before)
    last = session.execute(
        select(UncertaintyRow.version, UncertaintyRow.distance, UncertaintyRow.seq)
        .where(*which)
        .order_by(UncertaintyRow.version, UncertaintyRow.distance, UncertaintyRow.seq)
        .offset(BLOCK - 1)
        .limit(1)
    ).one_or_none()
    if last is not None:
        which.append(key <= tuple_(*(literal(value) for value in last)))
    gone: Any = session.execute(delete(UncertaintyRow).where(*which))
    return int(gone.rowcount)


def remove_score_blocks(session: Session, batch_id: UUID, *, before: int) -> None:
    """Delete a batch's blocks of scores of versions before one; there are few, as each is large."""
    session.execute(
        delete(ScoreBlockRow).where(
            ScoreBlockRow.batch_id == batch_id, ScoreBlockRow.version < before
        )
    )


def remove_batch(session: Session, batch_id: UUID) -> None:
    """Delete a batch's row, and the few that hang on it; its jobs and instances are gone."""
    # Its row first, as everybody locks it before its chunks.
    session.execute(select(BatchRow.id).where(BatchRow.id == batch_id).with_for_update())
    for table in (
        ChunkRow,
        CountRow,
        KeptRow,
        ReadingChangeRow,
        ScoreBlockRow,
        ScoreCountRow,
        UploadUseRow,
    ):
        session.execute(delete(table).where(table.batch_id == batch_id))
    session.execute(delete(KeptRow).where(KeptRow.from_batch_id == batch_id))
    session.execute(delete(BatchRow).where(BatchRow.id == batch_id))


def remove_upload(session: Session, upload_id: UUID) -> None:
    """Delete an upload's rows; its files in the store are to go afterwards.

    Raises:
        Conflict: A batch was made of it.
    """
    found = session.scalar(select(UploadRow.id).where(UploadRow.id == upload_id).with_for_update())
    if found is None:
        return
    use = session.scalar(
        select(UploadUseRow.batch_id).where(UploadUseRow.upload_id == upload_id).limit(1)
    )
    if use is not None:
        raise Conflict(
            f"upload {upload_id} holds the images of batch {use}; delete that first",
            code="upload.used",
        )
    session.execute(delete(UploadFileRow).where(UploadFileRow.upload_id == upload_id))
    session.execute(delete(UploadRow).where(UploadRow.id == upload_id))
