"""The object store in a local folder: one file for each object, written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from maskpool.domain import ObjectInfo
from maskpool.errors import ConfigError, Conflict, NotFound, Permanent, SourceError, Unreachable
from maskpool.files import sync_folder
from storage.objects.keys import TEMPORARY, checked
from storage.objects.streams import Measured

_COPY_BYTES = 1024 * 1024

#: Another process may delete an empty folder between our making it and our writing into it.
_FOLDER_TRIES = 20


class FolderStore:
    """Objects as files below ``root``; see ``maskpool.ports.ObjectStore`` for the contract.

    A folder cannot hold both ``a`` and ``a/b``; the second to come is refused with ``Conflict``.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def url(self) -> str:
        """``file:///folder``."""
        return self._root.as_uri()

    @property
    def root(self) -> Path:
        """The folder."""
        return self._root

    def uri(self, key: str) -> str:
        """``file:///folder/key``, with what a URI cannot hold percent-encoded."""
        return self._path(key).as_uri()

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:  # noqa: ARG002 - a file has no content type
        """See ``ObjectStore.put``."""
        self._write(key, lambda file: file.write(data))

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore.put_file``."""
        try:
            source = path.open("rb")
        except OSError as error:
            raise SourceError(str(path), f"cannot be read: {error.strerror}") from None
        with source:
            self._write(key, lambda file: shutil.copyfileobj(source, file, _COPY_BYTES))

    def put_stream(self, key: str, chunks: Iterable[bytes], limit: int) -> tuple[int, str]:
        """See ``ObjectStore.put_stream``."""
        measured = Measured(chunks, limit)
        self._write(key, lambda file: file.writelines(measured))
        return measured.size, measured.sha256

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """See ``ObjectStore.get``."""
        if offset < 0 or (length is not None and length < 0):
            msg = f"offset {offset} and length {length} must not be negative"
            raise ValueError(msg)
        with self._translated(key), self._path(key).open("rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def size(self, key: str) -> int | None:
        """See ``ObjectStore.size``."""
        path = self._path(key)
        try:
            with self._translated(key):
                return path.stat().st_size if path.is_file() else None
        except NotFound:
            return None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ``ObjectStore.list``; holds the names of one folder a level, not of all objects."""
        folder, separator, start = prefix.rpartition("/")
        if separator:
            checked(folder)
        with self._translated(prefix):
            yield from self._walk(f"{folder}/" if folder else "", start)

    def delete(self, keys: Iterable[str]) -> int:
        """See ``ObjectStore.delete``; folders that became empty go too."""
        asked = 0
        for key in keys:
            path = self._path(key)
            asked += 1
            with self._translated(key), suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
                self._remove_empty(path.parent)
        return asked

    def sweep(self, older_than: float, *, dry_run: bool = False) -> Iterator[int]:
        """See ``ObjectStore.sweep``; a write in progress keeps its file's time recent."""
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder, name) for name in names if name.startswith(TEMPORARY)):
                with self._translated(path.name), suppress(FileNotFoundError):
                    status = path.stat()
                    if time.time() - status.st_mtime > older_than:
                        if not dry_run:
                            path.unlink()
                            self._remove_empty(path.parent)
                        yield status.st_size

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    def _walk(self, base: str, start: str) -> Iterator[ObjectInfo]:
        for order, entry in _entries(self._root / base, start):
            key = f"{base}{entry.name}"
            if order.endswith(b"/"):
                yield from self._walk(f"{key}/", "")
            else:
                # Deleted since it was listed: with a bucket that may happen too.
                with suppress(FileNotFoundError):
                    yield ObjectInfo(key, entry.stat(follow_symlinks=False).st_size)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # not empty, or another deleter was first
                return
            folder = folder.parent

    def _write(self, key: str, fill: Callable[[BinaryIO], object]) -> None:
        path = self._path(key)
        with self._translated(key):
            if path.is_dir():
                raise Conflict(f"{key!r} cannot be stored: it is a folder with objects in it")
            temporary = self._open_beside(path)
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CLOEXEC), "wb") as file:
                    fill(file)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)

    def _open_beside(self, path: Path) -> Path:
        """Make an empty file beside ``path`` under a name that no listing shows."""
        for last_try in (*[False] * _FOLDER_TRIES, True):
            self._make_folder(path.parent)
            temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
            try:
                os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            except FileNotFoundError:
                if last_try:
                    raise
            else:
                return temporary
        raise AssertionError  # the last try returns or raises

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        with suppress(FileNotFoundError):  # taken away again: the caller tries anew
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                # Also raised for a folder that was there for mkdir and gone when pathlib checked.
                if any(part.is_file() for part in (folder, *folder.parents)):
                    raise
                return
            # The names of new folders must be as durable as the object that needs them.
            for made in (folder, *folder.parents):
                sync_folder(made.parent)
                if made == self._root:
                    break

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        """Turn what the operating system raises into our tree."""
        try:
            yield
        except OSError as error:
            raise self._refused(key, error) from None

    def _refused(self, key: str, error: OSError) -> Permanent | Unreachable:
        reason = error.strerror or type(error).__name__
        match error.errno:
            case errno.ENOENT | errno.EISDIR:
                return NotFound(f"there is no object {key!r} in {self.url}")
            case errno.ENOTDIR | errno.EEXIST:
                return Conflict(f"{key!r} in {self.url}: a part of it is an object already")
            case errno.EACCES | errno.EPERM | errno.EROFS:
                return ConfigError(
                    f"{key!r} in {self.url}: {reason}; let this user read and write there"
                )
            case errno.ENAMETOOLONG:
                return Permanent(f"{key[:200]!r}: a part of it is too long for the file system")
            case errno.ENOSPC | errno.EDQUOT:
                return Unreachable(f"the object store {self.url}", f"the disk is full ({reason})")
        return Unreachable(f"the object store {self.url}", reason)


def _entries(folder: Path, start: str) -> Iterable[tuple[bytes, os.DirEntry[str]]]:
    """Names in a folder that begin with ``start``, in the order of the keys below them.

    A folder sorts as its name and a slash, which is how S3 sorts whole keys by their UTF-8 bytes.
    """
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(start) or entry.name.startswith(TEMPORARY):
                continue
            if entry.is_dir(follow_symlinks=False):
                found.append((os.fsencode(entry.name) + b"/", entry))
            elif entry.is_file(follow_symlinks=False):
                found.append((os.fsencode(entry.name), entry))
    return sorted(found, key=lambda pair: pair[0])
