"""Predictions that somebody keeps: a batch of their own takes over jobs that have ended.

It is DONE from its first moment and stays so: nothing of it is ever dispatched.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from db import batches, uploads
from db.batches import NewBatch
from db.chunks.records import INSTANCE_COLUMNS, RARE_COLUMNS, Done, instance_values
from db.clock import now_ms
from db.models import BatchRow, InstanceRow, JobRow, KeptRow
from maskpool.domain import BatchState


class KeptJob(NamedTuple):
    """A job that is taken over.

    Attributes:
        source: The scratch batch and ``seq`` that it had there.
        name: Of its image.
        image_uri: Where the image lies for the batch that takes it over.
        prompts: ``maskpool.asks.ImageAsks.dump()``; None where it has none.
        upload_id: Which upload its image lies in, which stays from now on; None: in none.
    """

    source: tuple[UUID, int]
    name: str
    image_uri: str
    prompts: dict[str, Any] | None
    upload_id: UUID | None


def find_batch(session: Session, owner_id: int, key: str) -> UUID | None:
    """The batch of an owner's key; None where there is none yet."""
    return session.scalar(
        select(BatchRow.id).where(BatchRow.owner_id == owner_id, BatchRow.idempotency_key == key)
    )


def create_batch(session: Session, new: NewBatch) -> UUID:
    """A batch without an image, which is DONE; or the one that somebody made just now."""
    batch_id = batches.create_or_find(session, new).batch_id
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.state == BatchState.LOADING)
        .values(state=BatchState.DONE, finished_at=now_ms())
    )
    return batch_id


def place_of(session: Session, source: tuple[UUID, int], batch_id: UUID) -> int | None:
    """The ``seq`` of a job that a batch took over; None where it did not."""
    return session.scalar(
        select(KeptRow.seq).where(
            KeptRow.from_batch_id == source[0],
            KeptRow.from_seq == source[1],
            KeptRow.batch_id == batch_id,
        )
    )


def size(session: Session, batch_id: UUID) -> int | None:
    """How many images a batch has; None where it is gone."""
    return session.scalar(
        select(BatchRow.total).where(BatchRow.id == batch_id, BatchRow.deleted_at.is_(None))
    )


def copies(session: Session, batch_id: UUID, image_uri: str) -> int:
    """How many images of a batch are this one."""
    mine = (JobRow.batch_id == batch_id, JobRow.image_uri == image_uri)
    return session.scalar(select(func.count()).where(*mine)) or 0


def has_name(session: Session, batch_id: UUID, name: str) -> bool:
    """Whether an image of a batch has this name."""
    mine = (JobRow.batch_id == batch_id, JobRow.name == name)
    return session.scalar(select(JobRow.seq).where(*mine).limit(1)) is not None


def append(session: Session, batch_id: UUID, job: KeptJob, done: Done) -> bool:
    """Let a batch take a job over as its next one, ``done.seq``; its masks are in the store.

    Returns:
        False where the batch has grown meanwhile, or is gone: nothing was written then.

    Raises:
        NotFound: The image's upload is gone.
    """
    grown = session.scalar(
        update(BatchRow)
        .where(
            BatchRow.id == batch_id,
            BatchRow.total == done.seq,
            BatchRow.state == BatchState.DONE,
            BatchRow.deleted_at.is_(None),
        )
        .values(
            total=BatchRow.total + 1,
            loaded=BatchRow.loaded + 1,
            next_seq=BatchRow.next_seq + 1,
            done=BatchRow.done + 1,
            finished_at=now_ms(),
        )
        .returning(BatchRow.id)
    )
    if grown is None:
        return False
    if job.upload_id is not None:
        uploads.require(session, job.upload_id)
        batches.use_uploads(session, batch_id, (job.upload_id,))
    session.add(_row(batch_id, job, done))
    source, seq = job.source
    session.add(KeptRow(from_batch_id=source, from_seq=seq, batch_id=batch_id, seq=done.seq))
    session.flush()
    columns = (*INSTANCE_COLUMNS, *RARE_COLUMNS)
    values = instance_values(batch_id, [done], rare=True)
    if rows := [dict(zip(columns, one, strict=True)) for one in values]:
        session.execute(insert(InstanceRow), rows)
    return True


def _row(batch_id: UUID, job: KeptJob, done: Done) -> JobRow:
    end = done.row()
    return JobRow(
        batch_id=batch_id,
        seq=done.seq,
        name=job.name,
        image_uri=job.image_uri,
        prompts=job.prompts,
        state=end.state,
        attempts=end.attempts,
        masks_key=end.masks_key,
        masks_offset=end.masks_offset,
        masks_length=end.masks_length,
        width=end.width,
        height=end.height,
        n_instances=end.n_instances,
    )
