"""The files of uploads: noted once they are whole in the store, and counted in their upload's row.

Whoever changes a file's row holds its upload's row first, and changes what is counted there in the
same transaction: so no count drifts, whatever dies when.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db import uploads
from db.models import UploadFileRow, UploadRow
from db.session import is_postgres
from maskpool.errors import NotFound

_FILE = (UploadFileRow.name, UploadFileRow.size, UploadFileRow.sha256)

_ONE = select(*_FILE).where(
    UploadFileRow.upload_id == bindparam("upload"), UploadFileRow.name == bindparam("named")
)


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file of an upload; size and hash are None while parts of it are missing."""

    name: str
    size: int | None
    sha256: str | None


class WholeFile(NamedTuple):
    """A file that is whole in the store.

    Attributes:
        name: Its path under the upload.
        size: Bytes.
        sha256: As hex digits.
    """

    name: str
    size: int
    sha256: str


class NewFile(NamedTuple):
    """A file to note: whole in the store, or of which a part is there."""

    upload_id: UUID
    file: UploadFile


def file(session: Session, upload_id: UUID, name: str) -> UploadFile | None:
    """One file; None where there is none."""
    if "\0" in name:  # no row can hold it
        return None
    asked = {"upload": upload_id, "named": name}
    row = session.connection().execute(_ONE, asked).one_or_none()
    return None if row is None else UploadFile(*row)


def whole(session: Session, upload_id: UUID, name: str) -> UploadFile:
    """One file that is whole in the store.

    Raises:
        NotFound: There is none, or parts of it are missing.
    """
    found = file(session, upload_id, name)
    if found is None or found.size is None:
        raise NotFound(f"there is no file {name[:200]!r} in upload {upload_id}")
    return found


def named(session: Session, upload_id: UUID, names: Collection[str]) -> dict[str, UploadFile]:
    """Those files of an upload that have one of these names."""
    rows = session.execute(
        select(*_FILE).where(UploadFileRow.upload_id == upload_id, UploadFileRow.name.in_(names))
    )
    return {row.name: UploadFile(*row) for row in rows}


def files(
    session: Session, upload_id: UUID, *, after: str = "", limit: int = 1_000
) -> list[UploadFile]:
    """One page of the files, by name."""
    rows = session.execute(
        select(*_FILE)
        .where(UploadFileRow.upload_id == upload_id, UploadFileRow.name > after)
        .order_by(UploadFileRow.name)
        .limit(limit)
    )
    return [UploadFile(*row) for row in rows]


def note(session: Session, new: Sequence[NewFile]) -> list[UploadFile | None]:
    """Note files that are whole in the store, or the first parts of some; one that is whole stays.

    Args:
        session: Of a writing transaction.
        new: None of them twice.

    Returns:
        Each as it is noted now: another content was there before where its hash differs. None
        where its upload is gone.
    """
    # Counted first, as this also holds the upload's row: most files are new, and one step less
    # is worth much where all others wait for it.
    there = _count(session, new)
    wanted = [one for one in new if one.upload_id in there]
    changed = _insert(session, wanted)
    noted = {one: one.file for one in wanted if (one.upload_id, one.file.name) in changed}
    others = [one for one in wanted if one not in noted]
    _count(session, others, -1)
    before = _stored(session, others)
    return [noted.get(one) or before.get((one.upload_id, one.file.name)) for one in new]


def _insert(session: Session, new: Sequence[NewFile]) -> set[tuple[UUID, str]]:
    """Write the rows; returns which were not there, or not whole."""
    if not new:
        return set()
    rows = session.connection().execute(
        _INSERT_POSTGRES if is_postgres(session) else _INSERT_SQLITE,
        [_values(one.upload_id, one.file) for one in new],
    )
    return {(row.upload_id, row.name) for row in rows}


def _insert_statement(dialect: Any) -> Any:  # noqa: ANN401 - of one of two dialects
    made = dialect.insert(UploadFileRow)
    written = {"size": made.excluded.size, "sha256": made.excluded.sha256}
    return made.on_conflict_do_update(
        index_elements=["upload_id", "name"], set_=written, where=UploadFileRow.size.is_(None)
    ).returning(UploadFileRow.upload_id, UploadFileRow.name)


#: Made once: a file takes as long to make it as to run it.
_INSERT_POSTGRES, _INSERT_SQLITE = map(_insert_statement, (postgresql, sqlite))


def _stored(session: Session, asked: Sequence[NewFile]) -> dict[tuple[UUID, str], UploadFile]:
    if not asked:
        return {}
    which = [(one.upload_id, one.file.name) for one in asked]
    rows = session.execute(
        select(UploadFileRow.upload_id, *_FILE).where(
            tuple_(UploadFileRow.upload_id, UploadFileRow.name).in_(which)
        )
    )
    return {(row.upload_id, row.name): UploadFile(*row[1:]) for row in rows}


def _count(session: Session, new: Sequence[NewFile], sign: int = 1) -> set[UUID]:
    """Count those that are whole; returns the uploads that are there, whose rows are now held."""
    sizes: dict[UUID, list[int]] = {}
    for one in new:
        held = sizes.setdefault(one.upload_id, [])
        held += [] if one.file.size is None else [one.file.size]
    # In one order for all, so that nobody waits in a ring.
    return {
        upload_id
        for upload_id, whole in sorted(sizes.items())
        if uploads.count(session, upload_id, files=sign * len(whole), size=sign * sum(whole))
    }


def correct(session: Session, upload_id: UUID, name: str, size: int, sha256: str) -> None:
    """Say what a file's object really is."""
    _lock(session, upload_id)
    before = file(session, upload_id, name)
    if before is None:
        return
    session.execute(
        update(UploadFileRow)
        .where(UploadFileRow.upload_id == upload_id, UploadFileRow.name == name)
        .values(size=size, sha256=sha256)
    )
    came = 1 if before.size is None else 0
    size -= before.size or 0
    uploads.count(session, upload_id, files=came, size=size, there=False)


def remove(session: Session, upload_id: UUID, name: str) -> bool:
    """Forget a file; False where there is none."""
    _lock(session, upload_id)
    gone = session.execute(
        delete(UploadFileRow)
        .where(UploadFileRow.upload_id == upload_id, UploadFileRow.name == name)
        .returning(UploadFileRow.size)
    ).one_or_none()
    if gone is not None and gone.size is not None:
        uploads.count(session, upload_id, files=-1, size=-gone.size, there=False)
    return gone is not None


def keep(session: Session, upload_id: UUID, whole: Sequence[WholeFile]) -> None:
    """Note files that were taken out of an archive; whatever had their names is now these.

    Raises:
        NotFound: The upload is gone.
    """
    uploads.require(session, upload_id)
    new = {one.name: one for one in whole}
    before = named(session, upload_id, new)
    dialect: Any = postgresql if is_postgres(session) else sqlite
    made = dialect.insert(UploadFileRow)
    written = {"size": made.excluded.size, "sha256": made.excluded.sha256}
    session.connection().execute(
        made.on_conflict_do_update(index_elements=["upload_id", "name"], set_=written),
        [{"upload_id": upload_id, **one._asdict()} for one in new.values()],
    )
    old = [one.size for one in before.values() if one.size is not None]
    size = sum(one.size for one in new.values()) - sum(old)
    uploads.count(session, upload_id, files=len(new) - len(old), size=size)


def _lock(session: Session, upload_id: UUID) -> None:
    # Its row before its files', as everybody does, also where its time is over.
    session.execute(select(UploadRow.id).where(UploadRow.id == upload_id).with_for_update())


def _values(upload_id: UUID, one: UploadFile) -> dict[str, Any]:
    return {"upload_id": upload_id, "name": one.name, "size": one.size, "sha256": one.sha256}


def name_of(session: Session, upload_id: UUID) -> str:
    """An upload's name; empty where it has none, or is gone."""
    return session.scalar(select(UploadRow.name).where(UploadRow.id == upload_id)) or ""
