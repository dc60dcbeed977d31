"""Taking the images of a zip that was uploaded out of it, each into the upload; then it goes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID
from zipfile import BadZipFile, ZipFile, ZipInfo

from sqlalchemy.orm import Session

from db import upload_files, uploads
from db.upload_files import WholeFile
from maskpool.errors import NotFound, SourceError
from maskpool.ports import ObjectStore
from producer.archives.members import Limits, chosen
from producer.archives.ranged import RangedFile
from producer.pool import Pool
from producer.sources import names
from producer.sources.passed import PassedOver
from storage.objects import keys

#: Files whose rows are written together, each then whole in the store.
_ROWS = 200

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: Images that are in the upload now.
        bytes: Of all of them.
        passed_over: How many members of each kind were not taken.
    """

    files: int
    bytes: int
    passed_over: dict[str, int]


def unpack(
    pool: Pool,
    upload_id: UUID,
    name: str,
    *,
    fence: Callable[[Session], None] = lambda _: None,
    on_file: Callable[[int, int], None] = lambda _done, _total: None,
) -> Unpacked:
    """Take the images out of an archive; its row goes, its object is the caller's to delete.

    Args:
        pool: Where the upload is.
        upload_id: Which.
        name: Of the archive, as a file of the upload.
        fence: Called in every transaction that writes.
        on_file: Called with the files that are done, and with how many there are.

    Raises:
        SourceError: The archive is refused or damaged; says why.
        NotFound: The upload or the archive is gone.
        Unreachable: Database or store is away.
    """
    limits = Limits(
        pool.settings.upload_files, pool.settings.upload_bytes, pool.settings.max_image_bytes
    )
    passed, whole, size = PassedOver(), list[WholeFile](), 0
    store = pool.store()
    with pool.database.read() as session:
        uploads.require(session, upload_id)
    with _opened(store, keys.upload_object(upload_id, name), name) as archive:
        members = chosen(name, archive.infolist(), limits, passed)
        for done, member in enumerate(members, start=1):
            file = _take(store, archive, upload_id, member, name)
            whole.append(file)
            size += file.size
            if len(whole) == _ROWS:
                _keep(pool, upload_id, whole, fence)
                whole.clear()
            on_file(done, len(members))
    with pool.database.write() as session:
        fence(session)
        if whole:
            upload_files.keep(session, upload_id, whole)
        upload_files.remove(session, upload_id, name)
    return Unpacked(len(members), size, passed.counts)


def _keep(
    pool: Pool, upload_id: UUID, files: list[WholeFile], fence: Callable[[Session], None]
) -> None:
    with pool.database.write() as session:
        fence(session)
        upload_files.keep(session, upload_id, files)


def _opened(store: ObjectStore, key: str, name: str) -> ZipFile:
    try:
        return ZipFile(RangedFile(store, key))
    except (BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise SourceError(
            name,
            f"is no zip that can be read: {error}; pack it again",
            code="archive.unreadable",
            params={"source": name},
        ) from None
    except NotFound:
        raise NotFound(
            f"{name!r} is not in the upload any more; bring it again",
            code="archive.gone",
            params={"source": name},
        ) from None


def _take(
    store: ObjectStore, archive: ZipFile, upload_id: UUID, member: ZipInfo, name: str
) -> WholeFile:
    key = keys.upload_object(upload_id, member.filename)
    size, digest = store.put_stream(key, _pieces(archive, member, name), member.file_size)
    return WholeFile(member.filename, size, digest)


def _pieces(archive: ZipFile, member: ZipInfo, name: str) -> Iterator[bytes]:
    try:
        with archive.open(member) as file:
            while piece := file.read(_PIECE):
                yield piece
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        shown = names.shown(member.filename)
        raise SourceError(
            name,
            f"its member {shown} is damaged: {told}; pack it again",
            code="archive.damaged",
            params={"source": name, "member": shown},
        ) from None
