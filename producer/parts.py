"""Parts of a file that comes in several requests: where they lie until they are joined."""

from __future__ import annotations

import hashlib
from uuid import UUID

from producer.pool import Pool
from storage.objects import keys

#: Parts of one file.
MAX_PARTS = 10_000


def key_of(upload_id: UUID, name: str, number: int, count: int) -> str:
    """Where one part lies.

    Args:
        upload_id: Of the upload.
        name: Of the file.
        number: From 1.
        count: Of all parts: those of another division are others.
    """
    return keys.part_object(upload_id, _file_id(name, count), number)


def there(pool: Pool, upload_id: UUID, name: str, count: int) -> dict[int, str]:
    """The keys of those parts of a file that are there, by their numbers."""
    prefix = f"{keys.parts_prefix(upload_id)}{_file_id(name, count)}/"
    found = (info.key for info in pool.store().list(prefix))
    return {int(key.rpartition("/")[2]): key for key in found}


def forget(pool: Pool, upload_id: UUID, name: str) -> None:
    """Delete all parts of a file, however it was divided, so that none is joined with new ones."""
    store, prefix = pool.store(), keys.parts_prefix(upload_id)
    found = [info.key for info in store.list(prefix)]
    if found:
        mine = {_file_id(name, count) for count in range(1, MAX_PARTS + 1)}
        store.delete([key for key in found if key[len(prefix) :].partition("/")[0] in mine])


def _file_id(name: str, count: int) -> str:
    return hashlib.sha256(f"{count}\0{name}".encode()).hexdigest()[:32]
