"""File names made from the names of images, which anyone may have chosen."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import chain, count
from pathlib import PurePosixPath

#: What some file system or shell trips over; ``/`` and the backslash are handled before.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]')

#: Windows devices, which are taken under every suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

#: File systems take 255 bytes a name; the rest is room for suffixes.
_MAX_BYTES = 200


class SafeNames:
    """Gives each image name a relative path of its own that cannot leave its folder.

    ``a.png`` and ``a.jpg`` differ only in the suffix that is replaced, ``A.jpg`` and ``a.jpg`` not
    at all on many disks: whoever comes later gets a longer name.

    Args:
        suffix: Of every file, with its dot.
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._taken: set[str] = set()

    def claim(self, name: str) -> PurePosixPath:
        """The path for ``name``; the same name asked for again gets another one."""
        parts = [part for part in re.split(r"[/\\]", name) if part not in {"", ".", ".."}]
        *folders, last = parts or ["image"]
        folder = PurePosixPath(*(self._folder(part) for part in folders))
        stem = PurePosixPath(last).stem
        candidates = chain((stem, last), (f"{last}-{number}" for number in count(2)))
        paths = (folder / (_safe(candidate) + self._suffix) for candidate in candidates)
        return next(path for path in paths if self._take(path))

    def _take(self, path: PurePosixPath) -> bool:
        key = str(path).casefold()
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def _folder(self, part: str) -> str:
        """A folder that ends like our files could stand where a file must go."""
        part = _safe(part)
        return part + "_" if part.casefold().endswith(self._suffix) else part


def _safe(part: str) -> str:
    cleaned = _UNSAFE.sub("_", part).rstrip(". ") or "_"
    if _DEVICES.match(cleaned):
        cleaned = "_" + cleaned
    encoded = cleaned.encode()
    if len(encoded) > _MAX_BYTES:
        digest = sha256(part.encode("utf-8", "replace")).hexdigest()[:12]
        cleaned = encoded[: _MAX_BYTES - 13].decode("utf-8", "ignore") + "-" + digest
    return cleaned
