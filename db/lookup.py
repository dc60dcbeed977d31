"""Reading a batch's row: which one a person means, how far it is, what it was asked for."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, String, cast, func, select
from sqlalchemy.orm import Session

from db.models import BatchRow, UserRow
from maskpool.domain import BatchState, Klass, Priority, Progress
from maskpool.errors import NotFound
from maskpool.sample import read_sample

#: What was deleted is seen by nobody, although its rows may take minutes to go.
_THERE = BatchRow.deleted_at.is_(None)


def find(session: Session, reference: str) -> UUID:
    """The batch meant by an id, the beginning or the end of an id, or a name.

    Raises:
        NotFound: None or several are meant.
    """
    matches = session.execute(
        select(BatchRow.id, BatchRow.name)
        .where(meant(reference), _THERE)
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


def meant(reference: str) -> Any:  # noqa: ANN401 - a SQL expression
    """Whether a row of ``batches`` may be meant by an id, a beginning or end of it, or a name."""
    try:
        return BatchRow.id == UUID(reference)
    except ValueError:
        pass
    plain = reference.replace("-", "").lower()
    if len(plain) < 4 or set(plain) - set("0123456789abcdef"):
        return BatchRow.name == reference
    text = func.replace(cast(BatchRow.id, String), "-", "")
    # A UUIDv7 begins with the time, which batches of one moment share: its end is accepted too.
    return (BatchRow.name == reference) | text.startswith(plain) | text.endswith(plain)


def progress(session: Session, batch_id: UUID) -> Progress:
    """How far one batch is, from its row alone.

    Raises:
        NotFound: There is no such batch.
    """
    shown = progress_columns().where(BatchRow.id == batch_id, _THERE)
    row = session.execute(shown).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return read_progress(row)


def recent(session: Session, *, limit: int, owner: str | None = None) -> list[Progress]:
    """The latest batches, newest first, without those of single images."""
    shown = progress_columns().where(_THERE, ~BatchRow.scratch)
    query = shown.order_by(BatchRow.created_at.desc(), BatchRow.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(UserRow.name == owner)
    return [read_progress(row) for row in session.execute(query)]


def progress_columns() -> Select[Any, Any]:
    """Rows that ``read_progress`` reads."""
    return select(BatchRow, UserRow.name.label("owner")).join(
        UserRow, UserRow.id == BatchRow.owner_id
    )


def read_progress(row: Any) -> Progress:  # noqa: ANN401 - a Row of the select above
    """How far a batch is."""
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
        sample=read_sample(batch.sample),
    )


class StoredQuestion(NamedTuple):
    """What a batch asks for, as stored.

    Attributes:
        spec: ``BatchSpec.dump()``.
        reading: ``Reading.dump()``; None where the spec's own settings hold.
        source: As its owner wrote it.
    """

    spec: dict[str, Any]
    reading: dict[str, Any] | None
    source: str


def question(session: Session, batch_id: UUID) -> StoredQuestion:
    """What a batch asks for.

    Raises:
        NotFound: There is no such batch.
    """
    row = session.execute(
        select(BatchRow.spec, BatchRow.reading, BatchRow.source).where(
            BatchRow.id == batch_id, _THERE
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return StoredQuestion(*row)
