"""Files on their way into an upload: whole, or in parts.

A file is in its upload once its row says how many bytes it has; its object was written whole
before. A large file may come in parts, in any order, and again where one was cut off; whoever sends
the last one joins them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from db import upload_files
from db.upload_files import UploadFile
from db.uploads import Upload
from maskpool.errors import Conflict, NotFound, Permanent, SpecError
from producer import parts as file_parts
from producer.arrivals import Arrivals
from producer.noting import ARCHIVE
from producer.parts import MAX_PARTS
from producer.pool import Pool
from producer.sources import names
from storage.objects import keys
from storage.objects.streams import Measured

#: Bytes of a file's name: its key has more in front.
_MAX_NAME_BYTES = 800

_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A file that is whole now, or a part of one.

    Attributes:
        missing: Parts that are still to come.
        task_id: What unpacks it, where it is an archive.
    """

    file: UploadFile
    missing: int = 0
    task_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a file comes.

    Attributes:
        number: From 1.
        count: Of all parts.
    """

    number: int
    count: int


def receive(
    pool: Pool,
    upload: Upload,
    name: str,
    chunks: Iterable[bytes],
    *,
    sha256: str | None = None,
    part: Part | None = None,
    arrivals: Arrivals | None = None,
) -> Received:
    """Take a file, or a part of one.

    The same file once more is no error; another content under its name is.

    Args:
        pool: Where to.
        upload: As ``find`` found it, with the right to upload.
        name: Path of the file under the upload.
        chunks: Its content, or the part's.
        sha256: What these must hash to, in hex; None where nobody said it.
        part: Which part it is; None where it is the whole file.
        arrivals: What the process knows of all who bring files to it; None: this one goes alone.

    Raises:
        Permanent: The name is refused, there are too many files, or the hash is another one.
        TooLarge: It has more bytes than an image may have, or the user's uploads together.
        Conflict: There is another file of this name.
        NotFound: The upload was deleted meanwhile.
        Unreachable: Store or database is away.
    """
    if arrivals is None:
        with Arrivals(pool) as alone:
            return receive(pool, upload, name, chunks, sha256=sha256, part=part, arrivals=alone)
    chunks = _checked(chunks, sha256)
    if part is None:
        written = write(pool, upload, name, chunks, arrivals)
        return _noted(pool, upload, written, arrivals)
    _require_name(name)
    there, limit = arrivals.before(upload, name)
    return _receive_part(_Coming(pool, upload, name, arrivals), chunks, part, there, limit)


def write(
    pool: Pool, upload: Upload, name: str, chunks: Iterable[bytes], arrivals: Arrivals
) -> Received | UploadFile:
    """Write a whole file into the store, unless it is noted already. Raises as ``receive``.

    Returns:
        A file is written only, and holds a place: it is in its upload once ``note_all`` noted it.
    """
    _require_name(name)
    there, limit = arrivals.before(upload, name)
    if there is not None and there.size is not None:
        return Received(_same(name, there, _hashed(chunks, limit)))
    return _Coming(pool, upload, name, arrivals).write(chunks, limit)


def note_all(
    pool: Pool, upload: Upload, written: Sequence[UploadFile], arrivals: Arrivals
) -> list[Received | Conflict]:
    """Note files that ``write`` wrote, of different names, in one transaction.

    Raises:
        NotFound: The upload was deleted meanwhile.
        Unreachable: Store or database is away.
    """
    try:
        noted = arrivals.note_all(upload, written)
    except NotFound:
        # Nobody will look for them any more.
        pool.store().delete(keys.upload_object(upload.id, one.name) for one in written)
        raise
    found: list[Received | Conflict] = []
    for file, one in zip(written, noted, strict=True):
        if one.file.sha256 == file.sha256:
            found.append(Received(file, task_id=one.task_id))
        else:
            found.append(_settle(pool, upload, file.name))
    return found


def _noted(
    pool: Pool, upload: Upload, written: Received | UploadFile, arrivals: Arrivals
) -> Received:
    if isinstance(written, Received):
        return written
    [found] = note_all(pool, upload, [written], arrivals)
    if isinstance(found, Conflict):
        raise found
    return found


@dataclass(frozen=True, slots=True)
class _Coming:
    """A file on its way."""

    pool: Pool
    upload: Upload
    name: str
    arrivals: Arrivals

    def write(self, chunks: Iterable[bytes], limit: int) -> UploadFile:
        """Write it; it holds a place until it is noted."""
        key = keys.upload_object(self.upload.id, self.name)
        with self.arrivals.place(self.upload):
            return UploadFile(self.name, *self.pool.store().put_stream(key, chunks, limit))


def _settle(pool: Pool, upload: Upload, name: str) -> Conflict:
    """Two sent different files under one name at once: whichever object came last is the file."""
    found = _hashed(_read(pool, keys.upload_object(upload.id, name)), 1 << 62)
    with pool.database.write() as session:
        upload_files.correct(session, upload.id, name, *found)
    return _another(name)


def _receive_part(
    coming: _Coming, chunks: Iterable[bytes], part: Part, there: UploadFile | None, limit: int
) -> Received:
    pool, upload, name = coming.pool, coming.upload, coming.name
    if not 1 <= part.number <= part.count <= MAX_PARTS:
        raise SpecError("part", f"must be from 1 to of, and of at most {MAX_PARTS:,}")
    if there is not None and there.size is not None:
        return Received(_same_part(coming, part, there, _hashed(chunks, limit)))
    store = pool.store()
    store.put_stream(file_parts.key_of(upload.id, name, part.number, part.count), chunks, limit)
    noted = coming.arrivals.note(upload, UploadFile(name, None, None)).file
    parts = file_parts.there(pool, upload.id, name, part.count)
    if len(parts) < part.count:
        return Received(noted, missing=part.count - len(parts))
    joined = (chunk for number in sorted(parts) for chunk in _read(pool, parts[number]))
    received = _noted(pool, upload, coming.write(joined, limit), coming.arrivals)
    store.delete(parts.values())
    return received


def _same_part(coming: _Coming, part: Part, there: UploadFile, came: tuple[int, str]) -> UploadFile:
    """The file, if this is a part of it: it was joined already, and the answer was lost.

    Where a part from the middle lies is known only if all but the last one have one size.
    """
    whole, (size, _) = there.size or 0, came
    start, regular = (part.number - 1) * size, (part.count - 1) * size < whole <= part.count * size
    if part.number == part.count:
        start = whole - size if part.count > 1 or size == whole else -1
    elif part.number > 1 and size < whole and not regular:
        return there
    key = keys.upload_object(coming.upload.id, coming.name)
    if start < 0 or _hashed(_read(coming.pool, key, start, start + size), size) != came:
        raise _another(coming.name)
    return there


def parts(pool: Pool, upload: Upload, name: str, count: int) -> list[int]:
    """Numbers of the parts of a file that are there."""
    _require_name(name)
    return sorted(file_parts.there(pool, upload.id, name, count))


def refusal(name: str) -> str:
    """Why a file of this name is not taken; empty where it is."""
    if reason := names.refusal(name):
        return reason
    parts = name.split("/")
    if any(part.startswith(".") for part in parts):
        return "has a part that begins with '.', as a hidden file"
    if any(ord(one) < 32 or ord(one) == 127 for one in name):
        return "has a control character"
    if any(len(part.encode()) > 255 for part in parts) or len(name.encode()) > _MAX_NAME_BYTES:
        return f"is too long: {_MAX_NAME_BYTES} bytes are allowed, and 255 between two '/'"
    is_taken = names.is_image(name) or names.is_list(name) or name.lower().endswith(ARCHIVE)
    if not is_taken:
        return (
            f"is no image ({', '.join(sorted(names.IMAGE_SUFFIXES))}), no manifest "
            f"({', '.join(names.LIST_SUFFIXES)}) and no {ARCHIVE}"
        )
    return ""


def _require_name(name: str) -> None:
    if reason := refusal(name):
        shown = names.shown(name)
        raise SpecError("name", f"{shown} {reason}", code="upload.name", params={"name": name})


def _same(name: str, there: UploadFile, came: tuple[int, str]) -> UploadFile:
    if came != (there.size, there.sha256):
        raise _another(name)
    return there


def _another(name: str) -> Conflict:
    return Conflict(
        f"there is another file {names.shown(name)} in this upload; delete it first, or give this "
        "one another name",
        code="upload.another",
        params={"name": name},
    )


def _hashed(chunks: Iterable[bytes], limit: int) -> tuple[int, str]:
    measured = Measured(chunks, limit)
    for _ in measured:
        pass
    return measured.size, measured.sha256


def _checked(chunks: Iterable[bytes], sha256: str | None) -> Iterator[bytes]:
    """The same chunks; their hash is looked at before the store has them whole."""
    if sha256 is None:
        yield from chunks
        return
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise Permanent(
            f"what came has the SHA-256 {digest.hexdigest()}, and {sha256} was promised; send it "
            "again",
            code="upload.digest",
        )


def _read(pool: Pool, key: str, start: int = 0, end: int = 1 << 62) -> Iterator[bytes]:
    """An object's bytes from ``start`` on, up to ``end``."""
    store = pool.store()
    while start < end and (block := store.get(key, start, min(_COPY_BYTES, end - start))):
        yield block
        start += len(block)
        if len(block) < _COPY_BYTES:
            return
