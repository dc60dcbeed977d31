"""What the workers may read: a source that they would refuse image by image is refused at once."""

from __future__ import annotations

from itertools import islice

from maskpool.errors import SourceError
from maskpool.settings import Settings
from producer.sources import Source
from storage.uris import path_of, split_s3

#: Images of a source that are looked at to see whether it names files or URLs.
_SAMPLE = 1_000


def require_bucket(text: str, settings: Settings) -> None:
    """Refuse a bucket that no worker may read, before anything in it is listed.

    Args:
        text: The source as its user wrote it; anything but a bucket passes.
        settings: Which buckets may be read.

    Raises:
        SourceError: The bucket is neither the store nor in ``MASKPOOL_SOURCE_BUCKETS``.
    """
    place = split_s3(text)
    is_store = f"{text}/".startswith(f"{settings.store_url.rstrip('/')}/")
    if place and place[0] not in settings.source_buckets and not is_store:
        raise SourceError(
            text,
            f"workers read the store and MASKPOOL_SOURCE_BUCKETS only; add {place[0]!r} to it, "
            "on the workers and here",
        )


def require_root(source: Source, settings: Settings) -> None:
    """Refuse local images in a folder that no worker may read.

    Raises:
        SourceError: The folder is not below one of ``MASKPOOL_SOURCE_ROOTS``.
    """
    folder, roots = source.root, settings.source_roots
    if folder is None or not roots or not _names_files(source):
        return
    if not any(folder.is_relative_to(root) for root in roots):
        raise SourceError(
            str(folder),
            f"the workers read images under {', '.join(map(str, roots))} only; start the stack "
            f"with maskpool up --root {folder}, or add it to MASKPOOL_SOURCE_ROOTS",
        )


def _names_files(source: Source) -> bool:
    """Whether a source's first images are files here; a list of URLs may lie anywhere."""
    return any(path_of(ref.uri) for ref in islice(source.refs(), _SAMPLE))
