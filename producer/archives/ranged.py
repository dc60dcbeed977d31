"""An object of the store as a file that can be sought in; what is read is fetched by ranges."""

from __future__ import annotations

import errno
import io

from maskpool.errors import NotFound, Permanent
from maskpool.ports import ObjectStore

#: Bytes fetched ahead: members lie one behind the other, and a request costs milliseconds.
_AHEAD = 4 * 1024 * 1024

#: Most bytes of one reading: a directory of a million names takes more than any honest archive.
_MAX_READ = 64 * 1024 * 1024


class RangedFile(io.RawIOBase):
    """A seekable, readable view of one object; holds one piece of it.

    Args:
        store: Where it lies.
        key: Of the object.

    Raises:
        NotFound: There is no such object.
    """

    def __init__(self, store: ObjectStore, key: str) -> None:
        super().__init__()
        size = store.size(key)
        if size is None:
            raise NotFound(f"there is no object {key!r}")
        self._store, self._key, self._size = store, key, size
        self._at = 0
        self._piece, self._piece_at = b"", 0

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self._size

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next reading begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Read elsewhere from now on; nothing is fetched yet."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            # As of a file: zipfile looks for its end where a small object has no room for one.
            raise OSError(errno.EINVAL, "an object has nothing before its first byte")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer at the end.

        Raises:
            Permanent: More are asked than an archive of ours needs at once.
            Unreachable: The store is away.
        """
        left = max(0, self._size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > _MAX_READ:
            raise Permanent(f"its directory has more than {_MAX_READ:,} bytes; split the archive")
        start = self._at - self._piece_at
        if not 0 <= start <= len(self._piece) - wanted:
            length = min(left, max(wanted, _AHEAD))
            self._piece, self._piece_at = self._store.get(self._key, self._at, length), self._at
            start = 0
        data = self._piece[start : start + wanted]
        self._at += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As ``read``, into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
