"""Sources of images: what a user names on the command line, as a stream of references."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources.allowed import ANYWHERE, Allowed
from producer.sources.folders import FolderSource, GlobSource, open_image
from producer.sources.globs import is_glob
from producer.sources.grounds import LocalGround
from producer.sources.guard import require_outside
from producer.sources.list_kinds import LISTS
from producer.sources.names import IMAGE_SUFFIXES, is_image
from producer.sources.passed import PassedOver
from producer.sources.walk import refuse_ours
from producer.sources.web import open_web
from storage.images.web.urls import is_web

_EXPECTED = (
    "write a folder, an image, a quoted glob ('photos/**/*.jpg'), s3://bucket/prefix, "
    "https://host/image, or a manifest (.csv, .jsonl, .txt)"
)


class Source(Protocol):
    """A stream of image references that can be read again and again, in one and the same order."""

    @property
    def text(self) -> str:
        """The source as its user wrote it."""
        ...

    @property
    def kind(self) -> str:
        """``folder``, ``image``, ``glob``, ``s3``, ``web``, ``csv``, ``jsonl`` or ``txt``."""
        ...

    @property
    def root(self) -> Path | None:
        """The folder under which local images lie, as far as is known; None for bucket and URL.

        A manifest's own folder; its lines may name images elsewhere as well.
        """
        ...

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Every image, streamed: folders and buckets sorted by name, manifests as written.

        Args:
            passed: Counts what is passed over; whole after the last image.

        Raises:
            SourceError: A name or a line is refused; names it.
            Unreachable: A bucket does not answer.
        """
        ...

    def places(self, name: str) -> list[str]:
        """Where ``name`` comes from, e.g. ``["line 7", "line 9"]``; reads the source once more."""
        ...


def open_source(
    text: str, *, endpoint_url: str = "", allowed: Allowed = ANYWHERE, own_store: str = ""
) -> Source:
    """The source that ``text`` names.

    Args:
        text: A folder, an image, a glob, ``s3://bucket/prefix``, the URL of an image, or a manifest
            (CSV, JSONL, plain text).
        endpoint_url: Of an S3-compatible server; empty for AWS.
        allowed: What the workers may read; what a URL or the line of a list names elsewhere is
            refused as soon as it is seen.
        own_store: URL of the pool's store, whose objects are not taken for a user's.

    Raises:
        SourceError: There is no such thing, it is of no kind that is read, or it lies in the
            pool's store.
        Unreachable: A bucket does not answer.
    """
    scheme, separator, _ = text.partition("://")
    require_outside(own_store, text)
    if separator and scheme == "s3":
        from producer.sources.buckets import open_bucket  # noqa: PLC0415 - boto3 is slow to import

        return open_bucket(text, endpoint_url, own_store)
    if is_web(text):
        return open_web(text, LISTS, allowed.hosts)
    if separator and not Path(text).exists():
        raise SourceError(text, f"{scheme}:// is not read; {_EXPECTED}")
    return _open_local(text, allowed)


def _open_local(text: str, allowed: Allowed) -> Source:
    if not text or "\0" in text:
        raise SourceError(text or "the source", f"is no path; {_EXPECTED}")
    path = Path(text)
    try:
        if path.is_dir():
            folder = path.resolve()
            refuse_ours(text, folder)
            return FolderSource(text, folder)
        if path.is_file():
            return _open_file(text, path, allowed)
    except OSError as error:
        raise SourceError(text, f"cannot be read: {error.strerror}") from None
    if is_glob(text):
        glob = GlobSource.of(text)
        refuse_ours(text, glob.root)
        return glob
    if path.exists():
        raise SourceError(text, f"is neither a file nor a folder; {_EXPECTED}")
    raise SourceError(text, f"there is no such file or folder; {_EXPECTED}")


def _open_file(text: str, path: Path, allowed: Allowed) -> Source:
    if is_image(path.name):
        return open_image(text, path)
    reader = LISTS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(
            text,
            f"{path.suffix or 'a file without an ending'} is neither an image "
            f"({', '.join(sorted(IMAGE_SUFFIXES))}) nor a manifest ({', '.join(LISTS)})",
        )
    return reader(text, LocalGround(path.absolute(), allowed))
