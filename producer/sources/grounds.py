"""Where a manifest lies, and what its lines may therefore name.

On a disk, a path is relative to the manifest's folder, or absolute, or ``file://``, ``s3://``,
``http://`` or ``https://``. In an upload (``producer.sources.manifests``) no path leads to a disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from maskpool.strict import Unfit
from producer.sources import names, web
from producer.sources.allowed import ANYWHERE, Allowed, FolderRefusal
from storage.images.web.urls import is_web, split_web
from storage.uris import file_uri, path_of, split_s3


class Misplaced(Unfit):
    """A line names what it may not name, or nothing that there is; says which, and what to do."""


class Places(Protocol):
    """What the lines of one reading of a manifest may name."""

    def plain(self, path: str) -> str:
        """The URI of a relative path that needs no escape, and is its own name.

        Raises:
            Misplaced: It may not be read.
        """
        ...

    def located(self, uri: str) -> tuple[str, str]:
        """The full URI of a path or URI, and its image's name if none is given.

        Raises:
            Misplaced: It is none, or may not be read.
        """
        ...

    def is_there(self, path: str) -> bool:
        """Whether a file, a folder or a link of this relative path is surely there."""
        ...


class Ground(Protocol):
    """Where a manifest lies."""

    @property
    def root(self) -> Path | None:
        """Its folder; None where that is on no disk."""
        ...

    def opened(self) -> BinaryIO:
        """The manifest, from its first byte on."""
        ...

    def places(self) -> Places:
        """For one reading of it."""
        ...


@dataclass(frozen=True, slots=True)
class LocalGround:
    """A manifest on a disk.

    Attributes:
        path: Of the manifest.
        allowed: What the workers may read; another place is refused at its line.
    """

    path: Path
    allowed: Allowed = ANYWHERE

    @property
    def root(self) -> Path:
        """See ``Ground``."""
        return self.path.parent.resolve()

    def opened(self) -> BinaryIO:
        """See ``Ground``."""
        return self.path.open("rb")

    def places(self) -> LocalPlaces:
        """See ``Ground``."""
        root = self.root
        inside = f"{str(root).rstrip('/')}/"
        refusal = self.allowed.folder_refusal()
        return LocalPlaces(root, inside, file_uri(inside), refusal, self.allowed)


@dataclass(frozen=True, slots=True)
class LocalPlaces:
    """The manifest's folder, resolved once: doing it for each line costs system calls."""

    root: Path
    inside: str
    prefix: str
    refusal: FolderRefusal | None
    allowed: Allowed

    def plain(self, path: str) -> str:
        """See ``Places``."""
        if self.refusal and (reason := self.refusal((self.inside + path).rpartition("/")[0])):
            raise Misplaced(reason)
        return self.prefix + path

    def located(self, uri: str) -> tuple[str, str]:
        """See ``Places``."""
        scheme, separator, _ = uri.partition("://")
        if not separator:
            return self._at_path(uri)
        if scheme == "file":
            path = path_of(uri)
            if path is None:
                raise Misplaced(f"{names.shown(uri)} must be file:///absolute/path")
            return self._at_path(path)
        if found := elsewhere(uri, self.allowed):
            return found
        raise Misplaced(
            f"{names.shown(uri)}: write a path, file:///…, s3://bucket/key or https://host/…"
        )

    def is_there(self, path: str) -> bool:
        """See ``Places``."""
        return os.path.lexists(os.path.join(self.root, path))  # noqa: PTH118 - a Path for each line is slow

    def _at_path(self, path: str) -> tuple[str, str]:
        if "\0" in path or path.endswith("/"):
            raise Misplaced(f"{names.shown(path)} is no path of a file")
        full = os.path.normpath(os.path.join(self.root, path))  # noqa: PTH118 - as above
        if "/../" in path and self._goes_elsewhere(path, full):
            raise Misplaced(
                f"{names.shown(path)} goes back ('..') from a linked folder, which leads elsewhere "
                "than it reads; write the path without '..'",
            )
        if self.refusal and (reason := self.refusal(full.rpartition("/")[0])):
            raise Misplaced(reason)
        return file_uri(full), names.name_under(self.root, full)

    def _goes_elsewhere(self, path: str, full: str) -> bool:
        """Whether the system takes ``path`` for another file than ``full``, which has no ``..``."""
        # A manifest's own folder has no links in its path, so leading '..' are as they read.
        if path.startswith("../") and "/../" not in path.lstrip("./"):
            return False
        return os.path.realpath(os.path.join(self.root, path)) != os.path.realpath(full)  # noqa: PTH118 - as above


def elsewhere(uri: str, allowed: Allowed) -> tuple[str, str] | None:
    """An address in a bucket or on the web, and its name; None where it is neither.

    Raises:
        Misplaced: It is no such address, or no worker may read it.
    """
    if uri.startswith("s3://"):
        place = split_s3(uri)
        if place is None or not place[1] or place[1].endswith("/"):
            reason = f"{names.shown(uri)} is no object; s3://bucket/key is one"
            raise Misplaced(reason, code="place.address", params={"place": uri})
        if reason := allowed.bucket_refusal(uri):
            raise Misplaced(reason, code="place.workers", params={"place": uri})
        return uri, place[1]
    if not is_web(uri):
        return None
    try:
        url = split_web(uri)
    except ValueError as error:
        raise Misplaced(f"this URL {error}") from None
    if reason := web.refusal(url, allowed.hosts):
        raise Misplaced(reason)
    return str(url), web.name_of(url)
