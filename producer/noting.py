"""Files of uploads noted by one transaction for all who wait at the same moment.

A commit waits for the disk. With one for each file, those of one upload would wait for each other,
as each holds the upload's row; so whoever comes meanwhile goes with the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session

from db import upload_files, uploads
from db.upload_files import NewFile, UploadFile
from db.uploads import Upload
from maskpool.tasks import TaskKind
from producer import tasks
from producer.pool import Pool

#: What an upload takes beside images.
ARCHIVE = ".zip"


@dataclass(frozen=True, slots=True)
class Noted:
    """What is committed.

    Attributes:
        file: As it is noted now; another content was there before where its hash differs.
        task_id: What unpacks it, where it is an archive.
    """

    file: UploadFile
    task_id: UUID | None = None


@dataclass(slots=True)
class _Waiting:
    """A file that is to be noted; one of the two is set once that is over."""

    upload: Upload
    file: UploadFile
    noted: Noted | None = None
    error: BaseException | None = None

    @property
    def key(self) -> tuple[UUID, str]:
        return self.upload.id, self.file.name

    @property
    def over(self) -> bool:
        return self.noted is not None or self.error is not None


class Noting:
    """Notes files; its threads take turns, and each commits for all who wait.

    Args:
        pool: Where the rows are.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[_Waiting] = []
        self._adding = Lock()
        self._turn = Lock()

    def note(self, upload: Upload, file: UploadFile) -> Noted:
        """Note a file that is whole in the store, or a part of which is there; it is committed.

        Raises:
            NotFound: The upload was deleted meanwhile.
            Unreachable: The database is away.
        """
        [noted] = self.note_all(upload, [file])
        return noted

    def note_all(self, upload: Upload, files: Sequence[UploadFile]) -> list[Noted]:
        """As ``note``, for several files of one upload."""
        mine = [_Waiting(upload, one) for one in files]
        with self._adding:
            self._waiting += mine
        while not all(one.over for one in mine):
            with self._turn:
                # Somebody else's turn may have done it.
                if not all(one.over for one in mine):
                    self._commit(self._next())
        for one in mine:
            if one.error is not None:
                raise one.error
        return [one.noted for one in mine if one.noted is not None]

    def _next(self) -> list[_Waiting]:
        """All who wait; of those with one name the first, as a statement writes a row once."""
        with self._adding:
            chosen: dict[tuple[UUID, str], _Waiting] = {}
            for one in self._waiting:
                chosen.setdefault(one.key, one)
            self._waiting = [one for one in self._waiting if chosen[one.key] is not one]
        return list(chosen.values())

    def _commit(self, chosen: Sequence[_Waiting]) -> None:
        try:
            with self._pool.database.write() as session:
                found = _write(session, chosen)
        except BaseException as error:
            for one in chosen:
                one.error = error
            if not isinstance(error, Exception):
                raise
            return
        for one, noted in zip(chosen, found, strict=True):
            one.noted = noted
            if noted is None:
                one.error = uploads.gone(one.upload.id)
            elif noted.task_id is not None:
                self._pool.wake()


def _write(session: Session, chosen: Sequence[_Waiting]) -> list[Noted | None]:
    found = upload_files.note(session, [NewFile(one.upload.id, one.file) for one in chosen])
    return [
        None if file is None else Noted(file, _unpacking(session, one))
        for one, file in zip(chosen, found, strict=True)
    ]


def _unpacking(session: Session, one: _Waiting) -> UUID | None:
    if one.file.size is None or not one.file.name.lower().endswith(ARCHIVE):
        return None
    args = {"upload": str(one.upload.id), "name": one.file.name}
    return tasks.create(
        session,
        TaskKind.UNPACK,
        args,
        user_id=one.upload.user_id,
        team_id=one.upload.team_id,
    )
