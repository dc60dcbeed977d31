"""What a process knows of the uploads that files come to just now, so that a file asks few rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import Self, TypeVar
from uuid import UUID

from db import upload_files, uploads
from db.upload_files import UploadFile
from db.uploads import Upload
from maskpool.errors import Permanent
from maskpool.text import counted
from producer import uploads as of_caller
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.noting import ARCHIVE, Noted, Noting
from producer.pool import Pool
from storage.objects import keys
from storage.objects.folder import FolderStore

#: Seconds for which an upload's row is trusted. Whoever notes a file asks the row itself.
_MAX_AGE_SECONDS = 0.25

#: Uploads that are remembered.
_MAX_KNOWN = 1_000

#: Small files that all archives of a process bring at once, each held in memory.
_AT_ONCE = 8

Result = TypeVar("Result")


@dataclass(slots=True)
class _Known:
    """An upload, with what came since it was read.

    Attributes:
        of_user: Bytes in all uploads of its user.
    """

    upload: Upload
    of_user: int
    read_at: float
    files: int = 0
    size: int = 0


class Arrivals:
    """Files that come to one process.

    Args:
        pool: Where to.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._noting = Noting(pool)
        self._known: dict[UUID, _Known] = {}
        self._coming = Counter[UUID]()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "arrivals")
        self._free = BoundedSemaphore(_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()

    def beside(self, work: Callable[[], Result]) -> Future[Result]:
        """Let another thread bring a file; waits while as many as may be are under way."""
        self._free.acquire()
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._free.release())
        return future

    def find(self, caller: Caller, upload_id: UUID) -> Upload:
        """An upload that the caller may bring files to.

        Raises:
            NotFound: There is none, or none that the caller may see.
            Refused: The caller may see it, but not this.
        """
        known = self._read(upload_id)
        upload = None if known is None else known.upload
        return of_caller.require(caller, upload, upload_id, Right.UPLOAD)

    def before(self, upload: Upload, name: str) -> tuple[UploadFile | None, int]:
        """What is noted of a file already, and how many bytes it may have.

        Raises:
            NotFound: The upload was deleted meanwhile.
            Permanent: It has as many files as it may have.
        """
        known = self._read(upload.id)
        if known is None:
            raise uploads.gone(upload.id)
        self._require_place(known)
        limit = self._room(known, name)
        store = self._pool.store()
        # A file is written before it is noted. To ask a folder costs less than to ask a row.
        key = keys.upload_object(upload.id, name)
        if isinstance(store, FolderStore) and store.size(key) is None:
            return None, limit
        with self._pool.database.read() as session:
            return upload_files.file(session, upload.id, name), limit

    def note(self, upload: Upload, file: UploadFile) -> Noted:
        """As ``Noting.note``, for a file that holds no place."""
        return self._noting.note(upload, file)

    @contextmanager
    def place(self, upload: Upload) -> Iterator[None]:
        """Keep a place for a file while it is written and until ``note_all``; raises as ``before``.

        Many may come at the same moment, so that a few more than may be may find a place.
        """
        known = self._read(upload.id)
        with self._lock:
            if known is not None:
                self._require_place(known)
            self._coming[upload.id] += 1
        try:
            yield
        except BaseException:
            self._over(upload.id, 1, [])
            raise

    def note_all(self, upload: Upload, files: Sequence[UploadFile]) -> list[Noted]:
        """As ``Noting.note_all``, for files that each hold a place; they hold none any more."""
        came: Sequence[UploadFile] = []
        try:
            noted = self._noting.note_all(upload, files)
            came = files
        finally:
            self._over(upload.id, len(files), came)
        return noted

    def _over(self, upload_id: UUID, places: int, came: Sequence[UploadFile]) -> None:
        with self._lock:
            self._coming[upload_id] -= places
            if not self._coming[upload_id]:
                del self._coming[upload_id]
            if upload_id in self._known:
                self._known[upload_id].files += len(came)
                self._known[upload_id].size += sum(one.size or 0 for one in came)

    def _require_place(self, known: _Known) -> None:
        upload_id = known.upload.id
        files = known.upload.files + known.files + self._coming[upload_id]
        if files >= self._pool.settings.upload_files:
            raise Permanent(
                f"upload {upload_id} has {counted(files, 'file')}, as many as one may "
                "have; begin another",
                code="upload.full",
                params={"limit": self._pool.settings.upload_files},
            )

    def _room(self, known: _Known, name: str) -> int:
        settings = self._pool.settings
        left = settings.upload_bytes - known.of_user - known.size
        is_archive = name.lower().endswith(ARCHIVE)
        return max(0, left if is_archive else min(left, settings.max_image_bytes))

    def _read(self, upload_id: UUID) -> _Known | None:
        began = time.monotonic()
        with self._lock:
            known = self._known.get(upload_id)
        if known is not None and began - known.read_at < _MAX_AGE_SECONDS:
            return known
        with self._pool.database.read() as session:
            found = uploads.find(session, upload_id)
            of_user = uploads.bytes_of_user(session, found.user_id) if found else 0
        with self._lock:
            self._known.pop(upload_id, None)
            if found is None:
                return None
            known = self._known[upload_id] = _Known(found, of_user, began)
            while len(self._known) > _MAX_KNOWN:
                del self._known[next(iter(self._known))]
        return known
