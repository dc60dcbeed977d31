"""No reference leads into the pool's own store, where the images of others lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import names
from storage.own_store import OwnStore
from storage.uris import path_of

if TYPE_CHECKING:  # producer.sources imports this module
    from producer.sources import Source

#: Folders that a pass over a source remembers: most have one folder many times in a row.
_FOLDERS = 4096

_REASON = (
    "lies in the pool's own store, where images of other people are; submit the images from where "
    "they were before"
)


def require_outside(store_url: str, text: str) -> None:
    """Refuse a source that lies in the store as a whole, before anything of it is listed.

    Args:
        store_url: Of the pool.
        text: The source, as its user wrote it.

    Raises:
        SourceError: It does.
    """
    own = OwnStore(store_url)
    key = own.key_of(text) if "://" in text else None if "\0" in text else own.key_of_path(text)
    if key is not None:
        raise SourceError(text, _REASON, code="place.own_store", params={"place": text})


class Guard:
    """Looks at each reference of a source.

    Args:
        store_url: Of the pool's store; empty where none is known.
    """

    def __init__(self, store_url: str = "") -> None:
        self._own = OwnStore(store_url)
        self._in_bucket = store_url.startswith("s3://")

    def over(self, source: Source, refs: Iterator[ImageRef]) -> Iterator[ImageRef]:
        """The same references, up to one that is refused.

        What the source was opened on by its id, as an upload, is named on purpose
        (``inside``, beginnings of keys).

        Raises:
            SourceError: A reference leads into the store; names it.
        """
        inside: tuple[str, ...] = getattr(source, "inside", ())
        key_of = self._key_of_object if self._in_bucket else self._key_of_file()
        for ref in refs:
            key = key_of(ref.uri)
            if key is not None and not (inside and key.startswith(inside)):
                places = ", ".join(source.places(ref.name)[:1])
                raise SourceError(
                    source.text,
                    f"{names.shown(ref.name)}{places and f' ({places})'} {_REASON}",
                    code="place.own_store",
                    params={"place": ref.name},
                )
            yield ref

    def _key_of_object(self, uri: str) -> str | None:
        return self._own.key_of(uri) if uri.startswith("s3://") else None

    def _key_of_file(self) -> Callable[[str], str | None]:
        """Resolves each folder once: each resolving takes a call a part of its path."""
        key_of_path, islink = self._own.key_of_path, os.path.islink
        key_of_folder = lru_cache(_FOLDERS)(key_of_path)

        def key_of(uri: str) -> str | None:
            path = path_of(uri)
            if path is None or self._own.folder is None:
                return None
            if islink(path):
                return key_of_path(path)
            folder, _, name = path.rpartition("/")
            key = key_of_folder(folder or "/")
            return None if key is None else f"{key}/{name}".lstrip("/")

        return key_of
