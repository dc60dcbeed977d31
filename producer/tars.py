"""A tar that is unpacked while it arrives: each image becomes a file of an upload."""

from __future__ import annotations

import io
import tarfile
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from db.upload_files import UploadFile
from db.uploads import Upload
from maskpool.errors import Conflict, Permanent, TooLarge
from producer import receiving
from producer.arrivals import Arrivals
from producer.gunzip import gunzipped
from producer.pool import Pool
from producer.receiving import Received
from producer.sources import names, passed

#: Bytes of the name or the extended header of one member, which Python reads into memory.
_MAX_HEADER_BYTES = 64 * 1024

_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)

_PIECE = 256 * 1024

#: Members that are read into memory, so that several are written at once.
_SMALL = 1024 * 1024

#: Members that are noted by one transaction, and seconds after which fewer are.
_NOTED_AT_ONCE, _NOTED_SECONDS = 32, 1.0

#: Refusals that one answer names.
_MAX_NAMED = 100


@dataclass(slots=True)
class Unpacked:
    """What became of an archive's members.

    Attributes:
        files: That are in the upload now.
        size: Bytes of these.
        passed_over: By kind: what is no image.
        refused: Members that were not taken, with the reason; the first hundred.
        refused_count: All of them.
    """

    files: int = 0
    size: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)
    refused_count: int = 0

    def take(self, received: Received) -> None:
        """Count a member that is in the upload now."""
        self.files += 1
        self.size += received.file.size or 0

    def refuse(self, name: str, reason: str) -> None:
        """Note a member that is not taken."""
        self.refused_count += 1
        if len(self.refused) < _MAX_NAMED:
            self.refused[names.shown(name)] = reason


class _Member(tarfile.TarInfo):
    """A header that is refused where Python would read too much of it into memory."""

    def _proc_member(self, tar: Any) -> Any:  # noqa: ANN401 - tarfile's own
        if self.type in _HEADERS and self.size > _MAX_HEADER_BYTES:
            raise Permanent(
                f"the archive has a header of {self.size:,} bytes, more than the "
                f"{_MAX_HEADER_BYTES:,} allowed; make it again with shorter names"
            )
        return super()._proc_member(tar)  # type: ignore[misc]


def unpack(pool: Pool, upload: Upload, chunks: Iterable[bytes], arrivals: Arrivals) -> Unpacked:
    """Take every image of a tar, or of one that gzip made smaller, as it comes.

    Members are files of their own: what was taken stays where the rest is refused or cut off, and
    the same archive once more goes on.

    Raises:
        Permanent: It is no tar, it is damaged or cut off, or holds more than it may.
        Transient: Store or database is away.
    """
    done, taking = Unpacked(), _Taking(pool, upload, arrivals)
    stream = io.BufferedReader(_Stream(chunks), _PIECE)
    limit = pool.settings.upload_bytes
    plain = _plain(stream)
    try:
        with (
            taking.into(done),
            tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member) as tar,
        ):
            for member in tar:
                if member.offset_data + member.size > limit:
                    raise TooLarge(limit)
                _take(taking, tar, member, done)
                tar.members.clear()  # type: ignore[attr-defined]  # else it remembers each
            # Behind the last member stand gzip's checksums.
            plain.read(_PIECE)
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, zlib.error) as error:
        raise Permanent(
            f"the archive is no tar, or is damaged or cut off: {error}; {done.files:,} of its "
            "files are in the upload"
        ) from None
    return done


def _plain(stream: io.BufferedReader[Any]) -> io.BufferedReader[Any]:
    """The archive as ``tar`` made it.

    Raises:
        Permanent: Some bytes of it could become any number in one step, as of bzip2 and xz.
    """
    start = stream.peek(6)
    if start.startswith((b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")):
        raise Permanent(
            "the archive is made smaller by bzip2, xz or zstd; send it as .tar or .tar.gz"
        )
    if not start.startswith(b"\x1f\x8b"):
        return stream
    pieces = gunzipped(iter(lambda: stream.read1(_PIECE), b""))
    return io.BufferedReader(_Stream(pieces), _PIECE)


class _Taking:
    """Members on their way into an upload: small ones several at once, large ones as they come."""

    def __init__(self, pool: Pool, upload: Upload, arrivals: Arrivals) -> None:
        self.pool = pool
        self._upload = upload
        self._arrivals = arrivals
        self._under_way: deque[tuple[str, Future[Received | UploadFile]]] = deque()
        self._written: dict[str, UploadFile] = {}
        self._since = 0.0

    @contextmanager
    def into(self, done: Unpacked) -> Iterator[None]:
        """Count what was taken, also where the rest of the archive is refused."""
        try:
            yield
        finally:
            self._settle_all(done)

    def take(self, name: str, size: int, file: IO[bytes], done: Unpacked) -> None:
        """Take one.

        Raises:
            Permanent: The upload has as many files as it may have, or another member was refused.
            Transient: Store or database is away.
        """
        if name in self._written or any(name == other for other, _ in self._under_way):
            # The second of one name meets the first as it is noted, not half on its way.
            self._settle_all(done)
        if size <= _SMALL:
            content = file.read()
            work = self._arrivals.beside(lambda: self._write(name, [content]))
        else:
            work = Future()
            try:
                work.set_result(self._write(name, iter(lambda: file.read(_PIECE), b"")))
            except Conflict as error:
                work.set_exception(error)
        self._under_way.append((name, work))
        while self._under_way and self._under_way[0][1].done():
            self._settle(done)
        late = self._written and time.monotonic() - self._since > _NOTED_SECONDS
        if late or len(self._written) >= _NOTED_AT_ONCE:
            self._note(done)

    def _write(self, name: str, pieces: Iterable[bytes]) -> Received | UploadFile:
        return receiving.write(self.pool, self._upload, name, pieces, self._arrivals)

    def _settle(self, done: Unpacked) -> None:
        name, future = self._under_way.popleft()
        try:
            found = future.result()
        except Conflict as error:
            done.refuse(name, str(error))
            return
        if isinstance(found, Received):
            done.take(found)
            return
        if not self._written:
            self._since = time.monotonic()
        self._written[name] = found

    def _note(self, done: Unpacked) -> None:
        written, self._written = list(self._written.values()), {}
        if not written:
            return
        noted = receiving.note_all(self.pool, self._upload, written, self._arrivals)
        for file, found in zip(written, noted, strict=True):
            if isinstance(found, Conflict):
                done.refuse(file.name, str(found))
            else:
                done.take(found)

    def _settle_all(self, done: Unpacked) -> None:
        """Wait for all that is under way, and note it; the first fault is raised after the last."""
        errors = []
        while self._under_way or self._written:
            try:
                if self._under_way:
                    self._settle(done)
                else:
                    self._note(done)
            except Exception as error:  # noqa: BLE001 - whatever it is, all others give their places back
                errors.append(error)
        if errors:
            raise errors[0]


def _take(taking: _Taking, tar: tarfile.TarFile, member: tarfile.TarInfo, done: Unpacked) -> None:
    name = member.name.removeprefix("./")
    if member.isdir():
        return
    if reason := _odd(member):
        done.refuse(name, reason)
    elif kind := _kind(name):
        done.passed_over[kind] += 1
    elif reason := receiving.refusal(name) or _too_large(taking.pool, member):
        done.refuse(name, reason)
    elif file := tar.extractfile(member):
        taking.take(name, member.size, file, done)


def _too_large(pool: Pool, member: tarfile.TarInfo) -> str:
    limit = pool.settings.max_image_bytes
    if member.size <= limit:
        return ""
    return f"has {member.size:,} bytes, more than the {limit:,} that an image may have"


def _odd(member: tarfile.TarInfo) -> str:
    """Why a member is refused whatever its name is."""
    if member.issym() or member.islnk():
        return "is a link"
    if member.issparse():
        return "is a sparse file"
    return "" if member.isreg() else "is a device, a pipe or of another odd kind"


def _kind(name: str) -> str:
    """What a member is passed over as; empty for an image."""
    if names.refusal(name):
        return ""
    if any(part.startswith(".") for part in name.split("/")):
        return passed.HIDDEN_FILE
    return "" if names.is_image(name) else passed.ending(name)


class _Stream(io.RawIOBase):
    """Chunks as a file that can only be read on."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        """As ``io.RawIOBase``."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
