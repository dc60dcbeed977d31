"""What a pool's workers may read: what they would refuse image by image is refused at once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from maskpool.errors import SourceError
from maskpool.settings import Settings
from storage.uris import path_of, split_s3

if TYPE_CHECKING:  # producer.sources imports this module
    from producer.sources import Source

#: Folders that a pass over a list remembers: most lists have one folder many times in a row.
_FOLDERS = 4096

#: Roots that a sentence names.
_SHOWN = 5

#: Kinds of sources whose lines may name images in any place.
LISTS = frozenset({"csv", "jsonl", "txt"})

#: Why a folder may not be read, or an empty string.
FolderRefusal = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where workers may read; None stands for anywhere.

    Attributes:
        hosts: Patterns of hosts of web images.
        buckets: Beside the store's own.
        store: The store's URL.
        roots: Folders of local images.
    """

    hosts: tuple[str, ...] | None = None
    buckets: frozenset[str] | None = None
    store: str = ""
    roots: tuple[Path, ...] | None = None

    @classmethod
    def by(cls, settings: Settings, *, any_file: bool) -> Allowed:
        """What the workers of a pool may read.

        Args:
            settings: Of the pool. Without roots nothing is known of them here.
            any_file: Local files are copied into the store, so every one is within reach.
        """
        store_folder = path_of(settings.store_url)
        own = () if store_folder is None else (Path(store_folder),)
        unknown = any_file or not settings.source_roots
        return cls(
            hosts=settings.source_hosts,
            buckets=frozenset(settings.source_buckets),
            store=settings.store_url,
            roots=None if unknown else (*settings.source_roots, *own),
        )

    def bucket_refusal(self, uri: str) -> str:
        """Why an object, or all below a prefix, may not be read, or an empty string."""
        place = split_s3(uri)
        if place is None or self.buckets is None or place[0] in self.buckets:
            return ""
        if f"{uri}/".startswith(f"{self.store.rstrip('/')}/"):
            return ""
        return (
            f"workers read the store and MASKPOOL_SOURCE_BUCKETS only; add {place[0]!r} to it, "
            "on the workers and here"
        )

    def folder_refusal(self) -> FolderRefusal | None:
        """A function that says why a folder may not be read; None where every folder may.

        It asks the file system once for each folder, as a link may lead into a root or out of it.
        """
        if self.roots is None:
            return None
        roots = frozenset(Path(os.path.realpath(root)) for root in self.roots)

        @lru_cache(_FOLDERS)
        def refusal(folder: str) -> str:
            real = Path(os.path.realpath(folder or "/"))
            return "" if roots & {real, *real.parents} else self._outside(folder or "/")

        return refusal

    def require_bucket(self, text: str) -> None:
        """Refuse a bucket that no worker may read, before anything in it is listed.

        Args:
            text: The source as its user wrote it; anything but a bucket passes.

        Raises:
            SourceError: The bucket is neither the store nor in ``MASKPOOL_SOURCE_BUCKETS``.
        """
        if reason := self.bucket_refusal(text):
            raise SourceError(text, reason, code="place.workers", params={"place": text})

    def require_root(self, source: Source) -> None:
        """Refuse local images in a folder that no worker may read; a list checks its own lines.

        Raises:
            SourceError: The folder is not below one of ``MASKPOOL_SOURCE_ROOTS``.
        """
        refusal = self.folder_refusal()
        if refusal is None or source.root is None or source.kind in LISTS:
            return
        if reason := refusal(str(source.root)):
            raise SourceError(str(source.root), reason)

    def _outside(self, folder: str) -> str:
        roots = [str(root) for root in self.roots or ()]
        more = f" and {len(roots) - _SHOWN} more" if len(roots) > _SHOWN else ""
        form = ", as JSON because of its ':'" if os.pathsep in folder else ""
        return (
            f"the workers read images under {', '.join(roots[:_SHOWN])}{more} only; start the "
            f"stack with maskpool up --root {shlex.quote(folder)}, or add it to "
            f"MASKPOOL_SOURCE_ROOTS{form}"
        )


#: Where nothing is known of the workers, or they are told afterwards what they may read.
ANYWHERE = Allowed()
