"""Images as they were brought: read piece by piece, never shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db import jobs, upload_files
from maskpool.errors import ImageError, NotFound
from maskpool.ports import ObjectStore
from producer.pool import Pool
from storage.objects import keys, open_store
from storage.own_store import OwnStore
from storage.uris import split_s3

#: For how long a signed link is good: whoever has it needs no password.
LINK_SECONDS = 60

_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Original:
    """An image that lies in a store.

    Attributes:
        name: Of its job.
        store: Where it lies.
        key: And under which key.
        size: Bytes.
        version: Stands for just these bytes; empty where somebody else may change them.
    """

    name: str
    store: ObjectStore
    key: str
    size: int
    version: str = ""

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Its bytes from ``start`` up to ``stop``, piece by piece."""
        end = self.size if stop is None else stop
        for at in range(start, end, _PIECE_BYTES):
            yield self.store.get(self.key, at, min(_PIECE_BYTES, end - at))


def find(pool: Pool, batch_id: UUID, seq: int) -> Original:
    """The original of a batch's image.

    Raises:
        NotFound: The batch has no such image, or it is gone.
        ImageError: It lies neither in the pool's store nor in a bucket that is read.
    """
    with pool.database.read() as session:
        found = jobs.loaded(session, batch_id, seq)
    store, key = _place(pool, batch_id, found.image_uri)
    size = store.size(key)
    if size is None:
        raise NotFound(f"image {seq} of batch {batch_id} is not there any more")
    # Nothing that a batch uses is changed in the pool's own store; a bucket is its owner's.
    version = found.image_uri if store is pool.store() else ""
    return Original(found.name, store, key, size, version)


def of_upload(pool: Pool, upload_id: UUID, name: str) -> Original:
    """A file of an upload, as it was brought.

    Raises:
        NotFound: There is none.
    """
    with pool.database.read() as session:
        file = upload_files.whole(session, upload_id, name)
    key = keys.upload_object(upload_id, name)
    return Original(name, pool.store(), key, file.size or 0, file.sha256 or "")


def _place(pool: Pool, batch_id: UUID, uri: str) -> tuple[ObjectStore, str]:
    own = OwnStore(pool.settings.store_url)
    key = own.key_of(uri)
    if key is not None and own.opens(key, batch_id):
        return pool.store(), key
    place = split_s3(uri)
    if key is None and place is not None and place[0] in pool.settings.source_buckets:
        endpoint = pool.settings.s3_endpoint_url
        return open_store(f"s3://{place[0]}", endpoint_url=endpoint), place[1]
    raise ImageError(
        "this image was not brought to the pool; fetch it from where its list says it lies"
    )


def link(pool: Pool, batch_id: UUID, seq: int) -> str:
    """A signed link to an original in a bucket, for ``LINK_SECONDS``.

    Raises:
        NotFound: As ``find``; or the store is a folder.
    """
    found = find(pool, batch_id, seq)
    place = split_s3(found.store.uri(found.key))
    if place is None:
        raise NotFound("a store in a folder has no links; download the original")
    from storage.objects.s3 import make_client  # noqa: PLC0415 - boto3 is slow to import

    client: Any = make_client(pool.settings.s3_public_url)
    asked = {
        "Bucket": place[0],
        "Key": place[1],
        "ResponseContentDisposition": "attachment",
        "ResponseContentType": "application/octet-stream",
    }
    return str(client.generate_presigned_url("get_object", Params=asked, ExpiresIn=LINK_SECONDS))
