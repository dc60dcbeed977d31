"""Uploads and their files: what somebody brings, until its time is over and no batch uses it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import UploadFileRow, UploadRow, UploadUseRow
from db.session import is_postgres
from maskpool.domain import new_id
from maskpool.errors import NotFound

_DAY_MS = 24 * 3600 * 1000

_IS_USED = exists().where(UploadUseRow.upload_id == UploadRow.id)

#: A deleted upload is gone at once, though its files may still be there.
_IS_THERE = (UploadRow.expires_at > 0) & ((UploadRow.expires_at > now_ms()) | _IS_USED)


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


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file of an upload; size and hash are None while parts of it are missing."""

    name: str
    size: int | None
    sha256: str | None


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
    found = _read(session, _IS_THERE & (UploadRow.id == upload_id), limit=1)
    return found[0] if found else None


def listing(
    session: Session,
    *,
    user_id: int,
    team_ids: Collection[UUID] | None,
    before: UUID | None = None,
    limit: int = 100,
) -> list[Upload]:
    """Uploads, newest first.

    Args:
        session: Of a reading transaction.
        user_id: Whose.
        team_ids: And those of these teams; None: everybody's.
        before: Only older ones.
        limit: At most so many.
    """
    which: Any = _IS_THERE
    if team_ids is not None:
        which &= (UploadRow.user_id == user_id) | UploadRow.team_id.in_(team_ids)
    if before is not None:
        which &= UploadRow.id < before
    return _read(session, which, limit=limit)


def _read(session: Session, which: Any, *, limit: int) -> list[Upload]:  # noqa: ANN401 - a condition
    of_it = (UploadFileRow.upload_id == UploadRow.id) & UploadFileRow.size.is_not(None)
    files = select(func.count()).where(of_it).correlate(UploadRow).scalar_subquery()
    size = (
        select(func.coalesce(func.sum(UploadFileRow.size), 0))
        .where(of_it)
        .correlate(UploadRow)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            UploadRow.id,
            UploadRow.user_id,
            UploadRow.team_id,
            UploadRow.name,
            UploadRow.created_at,
            UploadRow.expires_at,
            _IS_USED,
            files,
            size,
        )
        .where(which)
        .order_by(UploadRow.id.desc())
        .limit(limit)
    )
    return [Upload._make((*row[:6], bool(row[6]), int(row[7]), int(row[8]))) for row in rows]


def bytes_of_user(session: Session, user_id: int) -> int:
    """Bytes of all files in a user's uploads."""
    total = session.scalar(
        select(func.sum(UploadFileRow.size))
        .join(UploadRow, UploadRow.id == UploadFileRow.upload_id)
        .where(UploadRow.user_id == user_id, UploadRow.expires_at > 0)
    )
    return int(total or 0)


def file(session: Session, upload_id: UUID, name: str) -> UploadFile | None:
    """One file; None where there is none."""
    if "\0" in name:  # no row can hold it
        return None
    row = session.execute(
        select(UploadFileRow.name, UploadFileRow.size, UploadFileRow.sha256).where(
            UploadFileRow.upload_id == upload_id, UploadFileRow.name == name
        )
    ).one_or_none()
    return None if row is None else UploadFile(*row)


def whole_file(session: Session, upload_id: UUID, name: str) -> UploadFile:
    """One file that is whole in the store.

    Raises:
        NotFound: There is none, or parts of it are missing.
    """
    found = file(session, upload_id, name)
    if found is None or found.size is None:
        raise NotFound(f"there is no file {name[:200]!r} in upload {upload_id}")
    return found


def files(
    session: Session, upload_id: UUID, *, after: str = "", limit: int = 1_000
) -> list[UploadFile]:
    """One page of the files, by name."""
    rows = session.execute(
        select(UploadFileRow.name, UploadFileRow.size, UploadFileRow.sha256)
        .where(UploadFileRow.upload_id == upload_id, UploadFileRow.name > after)
        .order_by(UploadFileRow.name)
        .limit(limit)
    )
    return [UploadFile(*row) for row in rows]


def add_file(
    session: Session, upload_id: UUID, name: str, size: int | None, sha256: str | None
) -> UploadFile:
    """Note a file that is whole in the store, or the first part of one; one that is whole stays.

    Returns:
        The file as it is noted now: another content was there before where its hash differs.

    Raises:
        NotFound: The upload was deleted meanwhile.
    """
    require(session, upload_id)
    dialect: Any = postgresql if is_postgres(session) else sqlite
    made = dialect.insert(UploadFileRow).values(
        upload_id=upload_id, name=name, size=size, sha256=sha256
    )
    session.execute(
        made.on_conflict_do_update(
            index_elements=["upload_id", "name"],
            set_={"size": made.excluded.size, "sha256": made.excluded.sha256},
            where=UploadFileRow.size.is_(None),
        )
    )
    noted = file(session, upload_id, name)
    assert noted is not None  # noqa: S101 - written a moment ago, in this transaction
    return noted


def correct_file(session: Session, upload_id: UUID, name: str, size: int, sha256: str) -> None:
    """Say what a file's object really is."""
    session.execute(
        update(UploadFileRow)
        .where(UploadFileRow.upload_id == upload_id, UploadFileRow.name == name)
        .values(size=size, sha256=sha256)
    )


def remove_file(session: Session, upload_id: UUID, name: str) -> bool:
    """Forget a file; False where there is none."""
    gone = session.execute(
        delete(UploadFileRow)
        .where(UploadFileRow.upload_id == upload_id, UploadFileRow.name == name)
        .returning(UploadFileRow.name)
    ).one_or_none()
    return gone is not None


def require(session: Session, upload_id: UUID) -> None:
    """Hold an upload's row, so that nobody clears it away before this transaction ends.

    Raises:
        NotFound: It is not there any more.
    """
    held = session.scalar(
        select(UploadRow.id).where(UploadRow.id == upload_id, _IS_THERE).with_for_update()
    )
    if held is None:
        raise NotFound(f"there is no upload {upload_id}; it was deleted, or its time is over")


def hide(session: Session, upload_id: UUID) -> None:
    """From now on nobody finds an upload; its files are cleared away later."""
    session.execute(update(UploadRow).where(UploadRow.id == upload_id).values(expires_at=0))
