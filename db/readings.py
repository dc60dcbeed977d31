"""How batches are read: the present word on it, and all earlier ones."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db.batches import set_reading
from db.clock import now_ms
from db.models import BatchRow, ReadingChangeRow, UserRow
from maskpool.reading import Reading


class Stored(NamedTuple):
    """What a batch's rows say of it.

    Attributes:
        spec: ``BatchSpec.dump()``.
        reading: ``Reading.dump()``, or None where the spec says it.
        version: Of the last change through the door; 0: there was none.
    """

    spec: dict[str, Any]
    reading: dict[str, Any] | None
    version: int


class ReadingChange(NamedTuple):
    """One version.

    Attributes:
        user: Who said so; None where nobody is known.
        at: Milliseconds since 1970.
    """

    version: int
    reading: dict[str, Any]
    user: str | None
    at: int


def find(session: Session, batch_id: UUID, *, lock: bool = False) -> Stored | None:
    """How a batch is read now; None where it is gone.

    Args:
        session: Read from.
        batch_id: Which.
        lock: Whether nobody else may change it before this transaction ends.
    """
    query = select(BatchRow.spec, BatchRow.reading).where(BatchRow.id == batch_id)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        return None
    last = select(func.max(ReadingChangeRow.version)).where(ReadingChangeRow.batch_id == batch_id)
    return Stored(row.spec, row.reading, session.scalar(last) or 0)


def append(
    session: Session, batch_id: UUID, version: int, reading: Reading, user_id: int | None
) -> None:
    """Read a batch in another way from now on, and keep who said so."""
    set_reading(session, batch_id, reading)
    session.execute(
        insert(ReadingChangeRow).values(
            batch_id=batch_id, version=version, reading=reading.dump(), user_id=user_id, at=now_ms()
        )
    )


def history(session: Session, batch_id: UUID) -> list[ReadingChange]:
    """Every version, the latest first."""
    rows = session.execute(
        select(
            ReadingChangeRow.version, ReadingChangeRow.reading, UserRow.name, ReadingChangeRow.at
        )
        .outerjoin(UserRow, UserRow.id == ReadingChangeRow.user_id)
        .where(ReadingChangeRow.batch_id == batch_id)
        .order_by(ReadingChangeRow.version.desc())
    )
    return [ReadingChange(*row) for row in rows]
