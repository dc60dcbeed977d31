"""A batch's life: created, loaded, active, paused, resumed, cancelled, retried, removed, read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, String, and_, bindparam, cast, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import BatchRow, ChunkRow, InstanceRow, JobRow, UserRow
from maskpool.domain import BatchState, ChunkState, JobState, Klass, Priority, Progress, new_id
from maskpool.errors import Conflict, NotFound

_OPEN_CHUNK = (ChunkState.QUEUED, ChunkState.RUNNING)
_OPEN_JOB = (JobState.WAITING, JobState.RETRY)

# What every submit asks, built once: building a statement costs ten times what running it does.

_FIND_OWNER = select(UserRow.id).where(UserRow.name == bindparam("name"))

_FIND = select(BatchRow.id, BatchRow.state, BatchRow.loaded, BatchRow.spec, BatchRow.source).where(
    BatchRow.owner_id == bindparam("owner"), BatchRow.idempotency_key == bindparam("key")
)

_LOADING = select(BatchRow.state, BatchRow.loaded).where(BatchRow.id == bindparam("batch"))

_ACTIVATE = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"), BatchRow.state == BatchState.LOADING)
    .values(state=BatchState.ACTIVE, total=BatchRow.loaded)
    .returning(BatchRow.id)
)

_WHOSE = select(BatchRow.owner_id, BatchRow.model).where(BatchRow.id == bindparam("batch"))

# Those whose clocks go on: not who waits for a worker of their model, or for a retry.
_SERVED = and_(
    BatchRow.state == BatchState.ACTIVE,
    BatchRow.next_seq < BatchRow.total,
    BatchRow.model == bindparam("of_model"),
    BatchRow.id != bindparam("batch"),
)
_OWN = BatchRow.owner_id == bindparam("of_owner")

_HAS_OTHERS = select(select(BatchRow.id).where(_SERVED, _OWN).exists())

_LEAST_OF_OWN = select(func.min(BatchRow.virtual_time)).where(_SERVED, _OWN)

_LEAST_OF_OTHERS = select(func.min(UserRow.virtual_time)).where(
    UserRow.id.in_(select(BatchRow.owner_id).where(_SERVED))
)

_FURTHEST = select(func.max(UserRow.virtual_time))

_RAISE = (
    update(UserRow)
    .where(UserRow.id == bindparam("owner"), UserRow.virtual_time < bindparam("least"))
    .values(virtual_time=bindparam("least"))
)

_SET_CLOCK = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"))
    .values(virtual_time=bindparam("least"))
)


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What a submitter asks for; ``spec`` is ``BatchSpec.dump()``."""

    owner: str
    idempotency_key: str
    name: str
    model: str
    spec: dict[str, Any]
    source: str
    klass: Klass = Klass.BULK
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True)
class Loading:
    """A batch as its submitter finds it."""

    batch_id: UUID
    state: BatchState
    loaded: int


def create_or_find(session: Session, new: NewBatch) -> Loading:
    """One idempotency key, one batch: insert it, or find the one that is there.

    Raises:
        Conflict: The key was used for another spec or source.
    """
    owner_id = _owner_id(session, new.owner)
    values = {
        "id": new_id(),
        "owner_id": owner_id,
        "idempotency_key": new.idempotency_key,
        "name": new.name,
        "model": new.model,
        "spec": new.spec,
        "source": new.source,
        "klass": int(new.klass),
        "priority": str(new.priority),
        "created_at": now_ms(),
    }
    session.execute(_insert_or_nothing(session, BatchRow).values(values))
    asked = {"owner": owner_id, "key": new.idempotency_key}
    row = session.connection().execute(_FIND, asked).one()
    if row.spec != new.spec or row.source != new.source:
        raise Conflict(
            f"the key {new.idempotency_key!r} belongs to batch {row.id}, which has another spec or "
            "source; submit under another key"
        )
    return Loading(row.id, BatchState(row.state), row.loaded)


def _owner_id(session: Session, name: str) -> int:
    connection = session.connection()
    known: int | None = connection.execute(_FIND_OWNER, {"name": name}).scalar()
    if known is not None:
        return known
    session.execute(_insert_or_nothing(session, UserRow).values(name=name))
    return int(connection.execute(_FIND_OWNER, {"name": name}).scalar_one())


def _insert_or_nothing(session: Session, table: type) -> Any:  # noqa: ANN401 - two dialects' types
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


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
        _catch_up(session, batch_id)
    return activated is not None


def _catch_up(session: Session, batch_id: UUID) -> None:
    """Who comes back saved up no turn, and owes none but to those who were there meanwhile."""
    connection = session.connection()
    owner_id, model = connection.execute(_WHOSE, {"batch": batch_id}).one()
    mine = {"batch": batch_id, "of_owner": owner_id, "of_model": model}
    if not connection.execute(_HAS_OTHERS, mine).scalar():
        _raise_owner(session, mine)
    least = connection.execute(_LEAST_OF_OWN, mine).scalar()
    if least is not None:  # also back: what it was given before costs no other owner anything
        connection.execute(_SET_CLOCK, {"batch": batch_id, "least": least})


def _raise_owner(session: Session, mine: dict[str, Any]) -> None:
    """Start at the least clock of those who are active; never back, or idling would pay debts."""
    connection = session.connection()
    least = connection.execute(_LEAST_OF_OTHERS, mine).scalar()
    if least is None:
        # An empty pool goes on where it stopped: else who had it to themselves would wait, when
        # they come back, until the newcomer has had as much.
        least = connection.execute(_FURTHEST).scalar()
    connection.execute(_RAISE, {"owner": mine["of_owner"], "least": least})


def pause(session: Session, batch_id: UUID) -> None:
    """ACTIVE → PAUSED: queued chunks are taken back uncharged, running ones stop by themselves.

    Raises:
        Conflict: The batch is not active.
    """
    _move(session, batch_id, (BatchState.ACTIVE,), BatchState.PAUSED, "paused")
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
    _move(session, batch_id, (BatchState.PAUSED,), BatchState.ACTIVE, "resumed")
    _catch_up(session, batch_id)


def cancel(session: Session, batch_id: UUID) -> None:
    """End a batch now: once this commits, no result of it is accepted any more.

    Raises:
        Conflict: The batch has ended already.
    """
    live = (BatchState.LOADING, BatchState.ACTIVE, BatchState.PAUSED)
    _move(session, batch_id, live, BatchState.CANCELLED, "cancelled", finished_at=now_ms())
    session.execute(
        update(ChunkRow)
        .where(ChunkRow.batch_id == batch_id, ChunkRow.state.in_(_OPEN_CHUNK))
        .values(state=ChunkState.CANCELLED, lease_until=None)
    )
    session.execute(
        update(JobRow)
        .where(JobRow.batch_id == batch_id, JobRow.state.in_(_OPEN_JOB))
        .values(state=JobState.CANCELLED, next_at=None)
    )
    session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.total < BatchRow.loaded)
        .values(total=BatchRow.loaded)
    )


def retry_failed(session: Session, batch_id: UUID) -> int:
    """Give every FAILED job of an ended batch a fresh start; returns how many.

    Raises:
        Conflict: The batch is not DONE, or nothing failed.
    """
    row = session.execute(
        select(BatchRow.state, BatchRow.failed).where(BatchRow.id == batch_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    if row.state != BatchState.DONE or row.failed == 0:
        state = BatchState(row.state).label
        raise Conflict(
            f"batch {batch_id} is {state} with {row.failed} failed jobs; "
            "only failed jobs of a batch that is done can be retried"
        )
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
    _catch_up(session, batch_id)
    return len(seqs)


def remove(session: Session, batch_id: UUID) -> None:
    """Delete every row of a batch that has ended, or was never loaded to its end.

    Raises:
        Conflict: The batch is still active or paused.
    """
    state = session.scalar(select(BatchRow.state).where(BatchRow.id == batch_id).with_for_update())
    if state in (BatchState.ACTIVE, BatchState.PAUSED):
        raise Conflict(f"batch {batch_id} is {BatchState(state).label}; cancel it first")
    for table in (InstanceRow, JobRow, ChunkRow):
        session.execute(delete(table).where(table.batch_id == batch_id))
    session.execute(delete(BatchRow).where(BatchRow.id == batch_id))


def _move(
    session: Session,
    batch_id: UUID,
    allowed: Sequence[BatchState],
    target: BatchState,
    verb: str,
    **values: Any,  # noqa: ANN401 - columns of the batch
) -> None:
    moved = session.execute(
        update(BatchRow)
        .where(BatchRow.id == batch_id, BatchRow.state.in_(allowed))
        .values(state=target, **values)
        .returning(BatchRow.id)
    ).one_or_none()
    if moved is not None:
        return
    state = session.scalar(select(BatchRow.state).where(BatchRow.id == batch_id))
    if state is None:
        raise NotFound(f"there is no batch {batch_id}")
    raise Conflict(f"batch {batch_id} is {BatchState(state).label} and cannot be {verb}")


def chunk_seqs(lo: int, hi: int, seqs: Sequence[int] | None) -> Sequence[int]:
    """The jobs of a chunk: a range, or the list where there is one."""
    return range(lo, hi) if seqs is None else seqs


def return_jobs(session: Session, batch_id: UUID, seqs: Sequence[int]) -> None:
    """Unfinished jobs of a chunk go back uncharged, to be claimed again at once."""
    session.execute(
        update(JobRow)
        .where(
            JobRow.batch_id == batch_id,
            JobRow.seq.in_(seqs),
            JobRow.state == JobState.WAITING,
        )
        .values(state=JobState.RETRY, next_at=now_ms())
    )


def find(session: Session, reference: str) -> UUID:
    """The batch meant by an id, the beginning of an id, or a name.

    Raises:
        NotFound: None or several are meant.
    """
    matches = session.execute(
        select(BatchRow.id, BatchRow.name)
        .where(_meant(reference))
        .order_by(BatchRow.created_at.desc())
        .limit(3)
    ).all()
    if not matches:
        raise NotFound(f"there is no batch {reference!r}; maskpool ls shows those there are")
    if len(matches) > 1:
        ids = " or ".join(str(match.id) for match in matches)
        raise NotFound(f"{reference!r} means several batches; write the id: {ids}")
    batch_id: UUID = matches[0].id
    return batch_id


def _meant(reference: str) -> Any:  # noqa: ANN401 - a SQL expression
    try:
        return BatchRow.id == UUID(reference)
    except ValueError:
        pass
    plain = reference.replace("-", "").lower()
    if len(plain) < 4 or set(plain) - set("0123456789abcdef"):
        return BatchRow.name == reference
    text = func.replace(cast(BatchRow.id, String), "-", "")
    # UUIDv7: the front is the time, the same for batches of one moment; so the end counts as well.
    return (BatchRow.name == reference) | text.startswith(plain) | text.endswith(plain)


def progress(session: Session, batch_id: UUID) -> Progress:
    """How far one batch is, from its row alone.

    Raises:
        NotFound: There is no such batch.
    """
    row = session.execute(_progress().where(BatchRow.id == batch_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return _read_progress(row)


def recent(session: Session, *, limit: int, owner: str | None = None) -> list[Progress]:
    """The latest batches, newest first."""
    query = _progress().order_by(BatchRow.created_at.desc(), BatchRow.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(UserRow.name == owner)
    return [_read_progress(row) for row in session.execute(query)]


def _progress() -> Select[Any, Any]:
    return select(BatchRow, UserRow.name.label("owner")).join(
        UserRow, UserRow.id == BatchRow.owner_id
    )


def _read_progress(row: Any) -> Progress:  # noqa: ANN401 - a Row of the select above
    batch: BatchRow = row.BatchRow
    return Progress(
        batch_id=batch.id,
        name=batch.name,
        owner=row.owner,
        state=BatchState(batch.state),
        klass=Klass(batch.klass),
        priority=Priority(batch.priority),
        model=batch.model,
        total=batch.total,
        loaded=batch.loaded,
        done=batch.done,
        failed=batch.failed,
        gpu_seconds=batch.gpu_seconds,
        created_at_ms=batch.created_at,
        finished_at_ms=batch.finished_at,
    )


def spec_and_source(session: Session, batch_id: UUID) -> tuple[dict[str, Any], str]:
    """The stored spec and the source as submitted.

    Raises:
        NotFound: There is no such batch.
    """
    row = session.execute(
        select(BatchRow.spec, BatchRow.source).where(BatchRow.id == batch_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return row.spec, row.source
