"""What lies in the pool's own store: images of other people, which a URI alone must not open."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from storage.objects import keys
from storage.uris import path_of, split_s3


class OwnStore:
    """Finds out whether a URI leads into the store, however it is written.

    Args:
        url: Of the store; empty where there is none.
    """

    def __init__(self, url: str) -> None:
        place = split_s3(url)
        self._bucket, self._base = (place[0], place[1].strip("/")) if place else ("", "")
        folder = path_of(url)
        self._root = None if folder is None else os.path.realpath(folder)

    @property
    def folder(self) -> Path | None:
        """Of a folder store, with links resolved; None for a bucket."""
        return None if self._root is None else Path(self._root)

    def key_of(self, uri: str) -> str | None:
        """The key that a URI means; empty for the store itself, None where it leads elsewhere.

        A store without a prefix shares its bucket with others: there, only what the pool writes is
        its own. A link is followed. In a bucket ``..``, doubled slashes and percent-escapes count
        as some servers read them, so that no spelling of a key is overlooked.
        """
        place = split_s3(uri)
        if place is not None:
            return self._key_in_bucket(*place)
        path = path_of(uri)
        return None if path is None else self.key_of_path(path)

    def key_of_path(self, path: str) -> str | None:
        """As ``key_of``, of an absolute path."""
        if self._root is None:
            return None
        real = os.path.realpath(path)
        return _below(real, self._root)

    def opens(self, key: str, batch_id: UUID | None, inside: Iterable[str] = ()) -> bool:
        """Whether a batch's job may name this object of the store.

        Args:
            key: As ``key_of`` says it.
            batch_id: Of the batch; None for an image of none.
            inside: More beginnings of keys that may be named.
        """
        own = () if batch_id is None else (keys.sources_prefix(batch_id),)
        return key.startswith((keys.UPLOADS, *own, *inside))

    def _key_in_bucket(self, bucket: str, key: str) -> str | None:
        if not self._bucket or bucket != self._bucket:
            return None
        base = f"/{self._base}".rstrip("/")
        found = [_below(_clean(form), base) for form in _forms(key)]
        ours = [
            one for one in found if one is not None and (base or f"{one}/".startswith(keys.ROOTS))
        ]
        return next(iter(ours), None)


def _forms(key: str) -> tuple[str, ...]:
    """A key as written, and as it reads where somebody on the way resolves its escapes."""
    return (key,) if "%" not in key else (key, unquote(key), unquote(unquote(key)))


def _clean(key: str) -> str:
    return posixpath.normpath(f"/{key.lstrip('/')}")


def _below(path: str, base: str) -> str | None:
    """What follows ``base`` in a path; None where the path is not below it."""
    base = base.rstrip("/")
    if path == (base or "/"):
        return ""
    return path.removeprefix(f"{base}/") if path.startswith(f"{base}/") else None
