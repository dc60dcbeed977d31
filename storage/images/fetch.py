"""A reference → bytes → RGB array, within limits: the only code that opens outside sources."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from maskpool.errors import (
    ConfigError,
    CredentialsError,
    ImageError,
    NoAccess,
    NotFound,
    Permanent,
    Unreachable,
)
from maskpool.ports import Image, ObjectStore
from maskpool.settings import Settings
from storage.images.decode import Take, decode
from storage.images.web.reader import WebReader, open_web
from storage.images.web.urls import is_web
from storage.own_store import OwnStore
from storage.uris import path_of, split_s3

#: Errors of the path itself, which no later try makes better: links in a circle, or too long.
_NO_PATH = (errno.ELOOP, errno.ENAMETOOLONG)


#: Patterns of the hosts that a batch's team was granted; None for a batch of no team.
Granted = Callable[[UUID], Collection[str] | None]


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image, ready for the models.

    Attributes:
        image: RGB uint8, (height, width, 3), upright.
        sha256: Hex digest of the bytes as they were fetched.
    """

    image: Image
    sha256: str


class Fetcher:
    """Reads images from the places that the settings allow; threads may share one.

    Allowed are folders of ``source_roots``, buckets of ``source_buckets``, web servers of
    ``source_hosts``, and in the store itself what belongs to the job's own batch, or was uploaded.

    Args:
        store: The pool's own.
        settings: What is allowed at all.
        granted: Asked where the web server of an image of a batch leads to another one: what its
            team could not have named, it is not led to either.
    """

    def __init__(
        self, store: ObjectStore, settings: Settings, granted: Granted = lambda _: None
    ) -> None:
        self._settings = settings
        self._granted = granted
        self._store_prefix = f"{store.url}/"
        self._own = OwnStore(store.url)
        own = () if self._own.folder is None else (self._own.folder,)
        self._roots = frozenset(
            Path(os.path.realpath(root)) for root in (*settings.source_roots, *own)
        )
        self._client: Any = None
        self._web: WebReader | None = None
        self._client_lock = threading.Lock()

    def fetch(
        self, uri: str, batch_id: UUID | None = None, take: Take | None = None
    ) -> FetchedImage:
        """Read and decode one image.

        Args:
            uri: Where it lies.
            batch_id: Whose job names it; None for an image of no batch.
            take: As of ``decode``.

        Raises:
            ImageError: It cannot be used; the sentence is for the person who labels.
            Unreachable: The place it lies in does not answer just now, or breaks off.
        """
        data = self.read(uri, batch_id)
        return FetchedImage(decode(data, self._settings, take), hashlib.sha256(data).hexdigest())

    def read(self, uri: str, batch_id: UUID | None = None) -> bytes:
        """The bytes of an image, at most ``max_image_bytes``.

        Args:
            uri: Where it lies.
            batch_id: As of ``fetch``.

        Raises:
            ImageError: They may not or cannot be read.
            Unreachable: The place does not answer just now; ``NoAccess`` where the worker's own
                settings or credentials are to be mended first.
        """
        scheme = uri.partition("://")[0]
        if scheme == "file":
            return self._read_file(uri, batch_id)
        if scheme == "s3":
            return self._read_object(uri, batch_id)
        if is_web(uri):
            own = (lambda: None) if batch_id is None else partial(self._granted, batch_id)
            return self._web_reader().read(uri, own)
        raise ImageError(
            f"images are read from file://, s3://, http:// and https:// only, not from {uri[:60]!r}"
        )

    def _read_file(self, uri: str, batch_id: UUID | None) -> bytes:
        path = path_of(uri)
        if path is None:
            raise ImageError(f"{uri[:200]!r} must be file:///absolute/path")
        roots: list[Path] = []
        try:
            real = Path(os.path.realpath(path))
            roots += [folder for folder in (real, *real.parents) if folder in self._roots]
            if not roots:
                raise ImageError(
                    f"workers may not read {path}: add its folder to MASKPOOL_SOURCE_ROOTS of the "
                    "workers, or upload the images"
                )
            self._require_own(uri, self._own.key_of_path(str(real)), batch_id)
            return self._read_regular(real)
        except OSError as error:
            raise _not_read(path, roots, error) from None

    def _require_own(self, uri: str, key: str | None, batch_id: UUID | None) -> None:
        """Refuse what lies in the store and belongs to somebody else.

        Args:
            uri: For the sentence.
            key: In the store; None where the image lies elsewhere.
            batch_id: Whose job names it.
        """
        if key is not None and not self._own.opens(key, batch_id):
            raise ImageError(
                f"{uri[:200]!r} lies in the pool's own store and is no image of this batch; submit "
                "the image itself"
            )

    def _read_regular(self, real: Path) -> bytes:
        """Read a resolved path; a link put in its place since, or a pipe, is not followed."""
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"{real} is no file")
            self._check_bytes(status.st_size)
            data = file.read(self._settings.max_image_bytes + 1)
        self._check_bytes(len(data))  # it may have grown since
        return data

    def _check_bytes(self, size: int) -> None:
        if size > self._settings.max_image_bytes:
            raise ImageError(
                f"the file has {size:,} bytes, more than the {self._settings.max_image_bytes:,} "
                "allowed (MASKPOOL_MAX_IMAGE_BYTES)"
            )

    def _read_object(self, uri: str, batch_id: UUID | None) -> bytes:
        place = split_s3(uri)
        # S3 clients resolve '..' in a key, which would then lie outside the allowed prefix.
        if place is None or not place[1] or {".", ".."} & set(place[1].split("/")):
            raise ImageError(f"{uri[:200]!r} is no object; s3://bucket/key is one")
        bucket, key = place
        if bucket not in self._settings.source_buckets and not uri.startswith(self._store_prefix):
            raise ImageError(
                f"workers may not read from bucket {bucket!r}: add it to MASKPOOL_SOURCE_BUCKETS "
                "of the workers"
            )
        self._require_own(uri, self._own.key_of(uri), batch_id)
        from storage.objects.s3 import read_object  # noqa: PLC0415 - boto3 is slow, and often not needed

        limit = self._settings.max_image_bytes
        try:
            return read_object(self._s3(), bucket, key, max_bytes=limit)
        except NotFound:
            raise ImageError(f"there is no object {uri}") from None
        except ConfigError as error:
            raise self._refused(uri, bucket, error) from None
        except Permanent as error:
            raise ImageError(f"{uri}: {error} (MASKPOOL_MAX_IMAGE_BYTES)") from None

    def _refused(self, uri: str, bucket: str, error: ConfigError) -> NoAccess | ImageError:
        """NoAccess, which charges no image, for the pool's own store and keys; else ImageError."""
        if isinstance(error, CredentialsError) or uri.startswith(self._store_prefix):
            return NoAccess(f"the object store s3://{bucket}", str(error))
        return ImageError(str(error))

    def _s3(self) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        with self._client_lock:
            if self._client is None:
                from storage.objects.s3 import make_client  # noqa: PLC0415 - as above

                self._client = make_client(self._settings.s3_endpoint_url)
            return self._client

    def _web_reader(self) -> WebReader:
        with self._client_lock:
            if self._web is None:
                self._web = open_web(self._settings)
            return self._web


def _not_read(path: str, roots: Sequence[Path], error: OSError) -> ImageError | Unreachable:
    """Why a file below some roots was not read, and whether a later try may succeed."""
    if isinstance(error, FileNotFoundError):
        if not roots or any(root.exists() for root in roots):
            return ImageError(f"there is no file {path} where the worker runs")
        return Unreachable(
            f"the folder {roots[0]}", "it is not there where the worker runs; mount it"
        )
    if isinstance(error, PermissionError):
        return ImageError(f"access denied: the worker may not open {path}")
    if isinstance(error, NotADirectoryError | IsADirectoryError):
        return ImageError(f"{path} is no file")
    if error.errno in _NO_PATH:
        return ImageError(f"{path[:200]!r} cannot be opened: {error.strerror}")
    # A stale network mount or a failing disk: another worker or a later try may succeed.
    return Unreachable(f"the file {path}", error.strerror or "read error")
