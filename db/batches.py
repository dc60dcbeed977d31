"""A batch's life: created, loaded, active, paused, resumed, cancelled, retried, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from db import counting, removal
from db.clock import now_ms
from db.inserts import insert_or_nothing
from db.jobs import chunk_seqs, return_jobs
from db.models import (
    BatchRow,
    ChunkRow,
    InstanceRow,
    JobRow,
    UncertaintyRow,
    UploadRow,
    UploadUseRow,
    UserRow,
)
from db.turns import catch_up
from maskpool.domain import BatchState, ChunkState, JobState, Klass, Priority, new_id
from maskpool.errors import Conflict, NotFound
from maskpool.reading import Reading, reading_of
from maskpool.sample import Sample, read_sample
from maskpool.spec import same_question
from maskpool.text import counted

# Every submit runs these, so they are built once: building a statement costs ten times running it.

_FIND_OWNER = select(UserRow.id).where(UserRow.name == bindparam("name"))

_FIND = select(
    *(BatchRow.id, BatchRow.state, BatchRow.loaded),
    *(BatchRow.spec, BatchRow.reading, BatchRow.source, BatchRow.sample, BatchRow.team_id),
).where(BatchRow.owner_id == bindparam("owner"), BatchRow.idempotency_key == bindparam("key"))

_LOADING = select(BatchRow.state, BatchRow.loaded).where(BatchRow.id == bindparam("batch"))

_ACTIVATE = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"), BatchRow.state == BatchState.LOADING)
    .values(state=BatchState.ACTIVE, total=BatchRow.loaded)
    .returning(BatchRow.id)
)


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What a submitter asks for.

    Attributes:
        owner: Who submits.
        idempotency_key: One batch of an owner has it.
        name: For people.
        model: Alias of the models.
        spec: ``BatchSpec.dump()``.
        source: As its owner wrote it.
        klass: Of the queue.
        priority: Among the owner's own batches.
        reading: How it is read.
        team_id: Whose members see it; None: its owner alone.
        uploads: Those that its images lie in, which stay as long as it does.
        sample: Of which images of its source it is; None: of all.
    """

    owner: str
    idempotency_key: str
    name: str
    model: str
    spec: dict[str, Any]
    source: str
    klass: Klass = Klass.BULK
    priority: Priority = Priority.NORMAL
    reading: Reading | None = None
    team_id: UUID | None = None
    uploads: tuple[UUID, ...] = ()
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Loading:
    """What a submitter finds of a batch that may be partly loaded.

    Attributes:
        batch_id: Which.
        state: Of the batch.
        loaded: Jobs written so far.
        read_anew: True where it was there, and is now read in another way than before.
    """

    batch_id: UUID
    state: BatchState
    loaded: int
    read_anew: bool = False


def create_or_find(session: Session, new: NewBatch) -> Loading:
    """Insert a batch, or find the one that was made with the same idempotency key.

    How a batch is read is no part of what its key stands for: the last word on it counts.

    Raises:
        Conflict: The key was used for another question or source, or for another team.
        NotFound: An upload is gone.
    """
    owner_id = _owner_id(session, new.owner)
    values = {
        "id": new_id(),
        "owner_id": owner_id,
        "idempotency_key": new.idempotency_key,
        "name": new.name,
        "model": new.model,
        "spec": new.spec,
        "reading": _beside(new.spec, new.reading),
        "source": new.source,
        "sample": None if new.sample is None else new.sample.dump(),
        "klass": int(new.klass),
        "priority": str(new.priority),
        "team_id": new.team_id,
        "created_at": now_ms(),
    }
    session.execute(insert_or_nothing(session, BatchRow).values(values))
    asked = {"owner": owner_id, "key": new.idempotency_key}
    row = session.connection().execute(_FIND, asked).one()
    if row.source != new.source or not same_question(row.spec, new.spec):
        raise Conflict(
            f"the key {new.idempotency_key!r} belongs to batch {row.id}, which has another spec or "
            "source; submit under another key",
            code="batch.key_used",
            params={"batch": str(row.id)},
        )
    if row.team_id != new.team_id:
        raise Conflict(
            f"the key {new.idempotency_key!r} belongs to batch {row.id}, which is of "
            f"{'no' if row.team_id is None else 'another'} team; submit under another key",
            code="batch.key_used",
            params={"batch": str(row.id)},
        )
    _require_same_sample(new, row.id, read_sample(row.sample))
    use_uploads(session, row.id, new.uploads)
    reading = new.reading or reading_of(new.spec, None)
    read_anew = reading_of(row.spec, row.reading) != reading
    if read_anew:
        set_reading(session, row.id, reading)
    return Loading(row.id, BatchState(row.state), row.loaded, read_anew)


def _require_same_sample(new: NewBatch, batch_id: UUID, there: Sample | None) -> None:
    if (there and there.drawing) != (new.sample and new.sample.drawing):
        what = "all images of the source" if there is None else there.sentence()
        raise Conflict(
            f"the key {new.idempotency_key!r} belongs to batch {batch_id}, which is of {what}; "
            "submit under another key",
            code="batch.key_used",
            params={"batch": str(batch_id)},
        )


def use_uploads(session: Session, batch_id: UUID, uploads: Sequence[UUID]) -> None:
    """Note whose images a batch has; locks the uploads, so that nobody deletes them meanwhile."""
    for upload_id in uploads:
        found = select(UploadRow.id).where(UploadRow.id == upload_id).with_for_update()
        if session.scalar(found) is None:
            raise NotFound(f"there is no upload {upload_id}; bring its files again")
        use = {"upload_id": upload_id, "batch_id": batch_id}
        session.execute(insert_or_nothing(session, UploadUseRow).values(use))


def set_reading(session: Session, batch_id: UUID, reading: Reading) -> None:
    """Say how a batch is read from now on; no image is looked at again."""
    session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(reading=reading.dump()))
    counting.ask(session, batch_id)


def _beside(spec: dict[str, Any], reading: Reading | None) -> dict[str, Any] | None:
    """What is to be kept beside a spec that does not say it itself."""
    if reading is None or reading_of(spec, None) == reading:
        return None
    return reading.dump()


def _owner_id(session: Session, name: str) -> int:
    connection = session.connection()
    known: int | None = connection.execute(_FIND_OWNER, {"name": name}).scalar()
    if known is not None:
        return known
    session.execute(insert_or_nothing(session, UserRow).values(name=name))
    return int(connection.execute(_FIND_OWNER, {"name": name}).scalar_one())


def loading(session: Session, batch_id: UUID) -> Loading:
    """How far a batch's loading is.

    Raises:
        NotFound: It is gone.
    """
    row = session.connection().execute(_LOADING, {"batch": batch_id}).one_or_none()
    if row is None:
        raise NotFound(f"batch {batch_id} is gone")
    return Loading(batch_id, BatchState(row.state), row.loaded)


def activate(session: Session, batch_id: UUID) -> bool:
    """LOADING → ACTIVE with the total as loaded; False where someone else did it."""
    activated = session.connection().execute(_ACTIVATE, {"batch": batch_id}).one_or_none()
    if activated is not None:
        catch_up(session, batch_id)
    return activated is not None


def pause(session: Session, batch_id: UUID) -> None:
    """ACTIVE → PAUSED: queued chunks are taken back uncharged, running ones stop by themselves.

    Raises:
        Conflict: The batch is not active.
    """
    may = (BatchState.ACTIVE,)
    _move(session, batch_id, may, BatchState.PAUSED, "paused", code="batch.not_active")
    chunks = session.execute(
        update(ChunkRow)
        .where(ChunkRow.batch_id == batch_id, ChunkRow.state == ChunkState.QUEUED)
        .values(state=ChunkState.CANCELLED)
        .returning(ChunkRow.lo, ChunkRow.hi, ChunkRow.seqs)
    ).all()
    for chunk in chunks:
        return_jobs(session, batch_id, chunk_seqs(chunk.lo, chunk.hi, chunk.seqs))


def resume(session: Session, batch_id: UUID) -> None:
    """PAUSED → ACTIVE.

    Raises:
        Conflict: The batch is not paused.
    """
    may = (BatchState.PAUSED,)
    _move(session, batch_id, may, BatchState.ACTIVE, "resumed", code="batch.not_paused")
    catch_up(session, batch_id)


def cancel(session: Session, batch_id: UUID) -> None:
    """End a batch now: once this commits, no result of it is accepted any more.

    Raises:
        Conflict: The batch has ended already.
    """
    _move(
        session,
        batch_id,
        BatchState.open(),
        BatchState.CANCELLED,
        "cancelled",
        code="batch.ended",
        finished_at=now_ms(),
    )
    session.execute(
        update(ChunkRow)
        .where(ChunkRow.batch_id == batch_id, ChunkRow.state.in_(ChunkState.open()))
        .values(state=ChunkState.CANCELLED, lease_until=None)
    )
    cancel_jobs(session, batch_id)


def cancel_jobs(session: Session, batch_id: UUID) -> None:
    """End what is left of a batch that is CANCELLED."""
    session.execute(
        update(JobRow)
        .where(JobRow.batch_id == batch_id, JobRow.state.in_(JobState.open()))
        .values(state=JobState.CANCELLED, next_at=None)
    )
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.total < BatchRow.loaded)
        .values(total=BatchRow.loaded)
    )
    counting.ask(session, batch_id)


def retry_failed(session: Session, batch_id: UUID) -> int:
    """Give every FAILED job of an ended batch a fresh start; returns how many.

    Raises:
        Conflict: The batch is not DONE, or nothing failed.
    """
    row = session.execute(
        select(BatchRow.state, BatchRow.failed)
        .where(BatchRow.id == batch_id, BatchRow.deleted_at.is_(None))
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    state = BatchState(row.state)
    sentence = (
        f"batch {batch_id} is {state.label} with {counted(row.failed, 'failed job')}; "
        "only failed jobs of a batch that is done can be retried"
    )
    if state is not BatchState.DONE:
        raise Conflict(sentence, code="batch.not_done", params={"state": state.label})
    if row.failed == 0:
        raise Conflict(sentence, code="batch.none_failed")
    seqs = session.scalars(
        update(JobRow)
        .where(JobRow.batch_id == batch_id, JobRow.state == JobState.FAILED)
        .values(state=JobState.RETRY, next_at=now_ms(), attempts=0, losses=0, error=None)
        .returning(JobRow.seq)
    ).all()
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id)
        .values(state=BatchState.ACTIVE, failed=BatchRow.failed - len(seqs), finished_at=None)
    )
    catch_up(session, batch_id)
    return len(seqs)


def remove(session: Session, batch_id: UUID) -> None:
    """Delete every row of a batch that has ended, or was never loaded to its end.

    Raises:
        Conflict: The batch is still active or paused.
    """
    removal.require_ended(session, batch_id)
    for table in (InstanceRow, JobRow, UncertaintyRow):
        session.execute(delete(table).where(table.batch_id == batch_id))
    removal.remove_batch(session, batch_id)


def _move(
    session: Session,
    batch_id: UUID,
    allowed: Sequence[BatchState],
    target: BatchState,
    verb: str,
    *,
    code: str,
    **values: Any,  # noqa: ANN401 - columns of the batch
) -> None:
    moved = session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.state.in_(allowed), BatchRow.deleted_at.is_(None))
        .values(state=target, **values)
        .returning(BatchRow.id)
    ).one_or_none()
    if moved is not None:
        return
    there = (BatchRow.id == batch_id, BatchRow.deleted_at.is_(None))
    state = session.scalar(select(BatchRow.state).where(*there))
    if state is None:
        raise NotFound(f"there is no batch {batch_id}")
    label = BatchState(state).label
    sentence = f"batch {batch_id} is {label} and cannot be {verb}"
    raise Conflict(sentence, code=code, params={"state": label})
