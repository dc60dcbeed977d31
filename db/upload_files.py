"""The files of an upload as the clerk writes them: those that were taken out of an archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db import uploads
from db.models import UploadFileRow, UploadRow
from db.session import is_postgres


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


def name_of(session: Session, upload_id: UUID) -> str:
    """An upload's name; empty where it has none, or is gone."""
    return session.scalar(select(UploadRow.name).where(UploadRow.id == upload_id)) or ""


def keep(session: Session, upload_id: UUID, files: Sequence[WholeFile]) -> None:
    """Note files; one that is there under the same name is now this one.

    Raises:
        NotFound: The upload is gone.
    """
    uploads.require(session, upload_id)
    dialect: Any = postgresql if is_postgres(session) else sqlite
    made = dialect.insert(UploadFileRow)
    written = {"size": made.excluded.size, "sha256": made.excluded.sha256}
    places = ["upload_id", "name"]
    session.connection().execute(
        made.on_conflict_do_update(index_elements=places, set_=written),
        [{"upload_id": upload_id, **file._asdict()} for file in files],
    )
