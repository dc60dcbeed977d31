"""Uploads: what somebody brings, until its time is over and no batch uses it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import UploadRow, UploadUseRow
from maskpool.domain import new_id
from maskpool.errors import NotFound

_DAY_MS = 24 * 3600 * 1000

_IS_USED = exists().where(UploadUseRow.upload_id == UploadRow.id)

#: A deleted upload is gone at once, though its files may still be there.
_IS_THERE = (UploadRow.expires_at > 0) & ((UploadRow.expires_at > now_ms()) | _IS_USED)

_COLUMNS = (
    UploadRow.id,
    UploadRow.user_id,
    UploadRow.team_id,
    UploadRow.name,
    UploadRow.created_at,
    UploadRow.expires_at,
    _IS_USED,
    UploadRow.files,
    UploadRow.size,
)

# Each file asks these, and building one costs SQLAlchemy more than running it: they are built once.
_FIND = select(*_COLUMNS).where(_IS_THERE, UploadRow.id == bindparam("upload"))

_COUNT = (
    update(UploadRow)
    .where(UploadRow.id == bindparam("upload"))
    .values(
        files=UploadRow.files + bindparam("more_files"),
        size=UploadRow.size + bindparam("more_size"),
    )
)
_COUNT_THERE = _COUNT.where(_IS_THERE)


class Upload(NamedTuple):
    """An upload that is there.

    Attributes:
        user_id: Who brings it.
        team_id: Whose members may submit it; None: its user alone.
        expires_at: Milliseconds of the database's clock; it stays longer where a batch uses it.
        used: Whether a batch does.
        files: That are whole.
        size: Bytes of all that are whole.
    """

    id: UUID
    user_id: int
    team_id: UUID | None
    name: str
    created_at: int
    expires_at: int
    used: bool
    files: int
    size: int


def create(session: Session, *, user_id: int, team_id: UUID | None, name: str, days: float) -> UUID:
    """Begin an upload."""
    upload_id = new_id()
    now = session.scalar(select(now_ms())) or 0
    session.add(
        UploadRow(
            id=upload_id,
            user_id=user_id,
            team_id=team_id,
            name=name,
            created_at=now,
            expires_at=now + round(days * _DAY_MS),
        )
    )
    session.flush()
    return upload_id


def find(session: Session, upload_id: UUID) -> Upload | None:
    """An upload; None where there is none, or its time is over."""
    row = session.connection().execute(_FIND, {"upload": upload_id}).one_or_none()
    return None if row is None else _upload(row)


def listing(
    session: Session,
    *,
    user_id: int,
    team_ids: Collection[UUID] | None,
    after: UUID | None = None,
    limit: int = 100,
) -> list[Upload]:
    """Uploads, newest first.

    Args:
        session: Of a reading transaction.
        user_id: Whose.
        team_ids: And those of these teams; None: everybody's.
        after: The upload before the page; None at the beginning.
        limit: At most so many.
    """
    which: Any = _IS_THERE
    if team_ids is not None:
        which &= (UploadRow.user_id == user_id) | UploadRow.team_id.in_(team_ids)
    if after is not None:
        which &= UploadRow.id < after
    return _read(session, which, limit=limit)


def _read(session: Session, which: Any, *, limit: int) -> list[Upload]:  # noqa: ANN401 - a condition
    rows = session.execute(
        select(*_COLUMNS).where(which).order_by(UploadRow.id.desc()).limit(limit)
    )
    return [_upload(row) for row in rows]


def _upload(row: Any) -> Upload:  # noqa: ANN401 - a Row of the columns above
    return Upload._make((*row[:6], bool(row[6]), *row[7:]))


def bytes_of_user(session: Session, user_id: int) -> int:
    """Bytes of all files in a user's uploads."""
    total = session.scalar(
        select(func.sum(UploadRow.size)).where(
            UploadRow.user_id == user_id, UploadRow.expires_at > 0
        )
    )
    return int(total or 0)


def gone(upload_id: UUID) -> NotFound:
    """What is said where an upload is not there, or not for who asks."""
    return NotFound(f"there is no upload {upload_id}; it was deleted, or its time is over")


def require(session: Session, upload_id: UUID) -> None:
    """Hold an upload's row, so that nobody clears it away before this transaction ends.

    Raises:
        NotFound: It is not there any more.
    """
    held = session.scalar(
        select(UploadRow.id).where(UploadRow.id == upload_id, _IS_THERE).with_for_update()
    )
    if held is None:
        raise gone(upload_id)


def count(session: Session, upload_id: UUID, *, files: int, size: int, there: bool = True) -> bool:
    """Count files that came, or went, into their upload's row, and hold it.

    Args:
        session: Of a writing transaction.
        upload_id: Which.
        files: So many more.
        size: Of all of them, bytes.
        there: Whether one that was deleted, or whose time is over, is passed over.

    Returns:
        Whether there is one.
    """
    # Of the connection: the session's own way takes as long again to look for objects it holds.
    changed = session.connection().execute(
        _COUNT_THERE if there else _COUNT,
        {"upload": upload_id, "more_files": files, "more_size": size},
    )
    return bool(changed.rowcount)


def hide(session: Session, upload_id: UUID) -> None:
    """From now on nobody finds an upload; its files are cleared away later."""
    session.execute(update(UploadRow).where(UploadRow.id == upload_id).values(expires_at=0))
