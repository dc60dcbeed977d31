"""Every object key, in one place.

``masks/v1/{batch}/{chunk}-{sha256[:16]}.jsonl.zst`` holds the masks of one chunk,
``sources/{batch}/{name}`` an uploaded image. Keys are relative to the store's URL.
"""

from __future__ import annotations

from uuid import UUID

from maskpool.errors import Permanent

#: Bytes of a key that S3 accepts, the store's own prefix included.
MAX_KEY_BYTES = 1024

#: A folder store writes under such a name before it renames; no key may look like one.
TEMPORARY = ".maskpool-writing-"

_DIGEST_LENGTH = 16


def mask_object(batch_id: UUID, masks_key: str) -> str:
    """The object that holds a chunk's masks; ``masks_key`` is what the job's row knows of it."""
    return f"{masks_prefix(batch_id)}{masks_key}.jsonl.zst"


def masks_prefix(batch_id: UUID) -> str:
    """What every mask object of a batch starts with."""
    return f"masks/v1/{batch_id}/"


def source_object(batch_id: UUID, name: str) -> str:
    """Where an uploaded image of a batch lies; ``name`` is its path under the source."""
    return f"{sources_prefix(batch_id)}{name}"


def sources_prefix(batch_id: UUID) -> str:
    """What every uploaded image of a batch starts with."""
    return f"sources/{batch_id}/"


def chunk_masks_key(chunk_id: UUID, sha256_hex: str) -> str:
    """What a job's row keeps of its mask object's key: the chunk, and what its bytes must hash to.

    Two workers that finish one chunk write two objects, unless they wrote the same bytes.
    """
    return f"{chunk_id}-{sha256_hex[:_DIGEST_LENGTH]}"


def digest_of(masks_key: str) -> str:
    """The leading hex digits of the SHA-256 that ``masks_key`` promises."""
    return masks_key.rpartition("-")[2]


def checked(key: str) -> str:
    """The key itself, if it means the same in a bucket and in a folder.

    Raises:
        Permanent: It is empty, absolute, too long, or has a part that a file cannot be named.
    """
    reason = _refusal(key)
    if reason:
        raise Permanent(f"{key[:200]!r} is no object key: {reason}")
    return key


def _refusal(key: str) -> str:
    parts = key.split("/")
    reasons = {
        "it is empty": not key,
        "a part of it is empty, or it starts or ends with '/'": "" in parts,
        "it has a part '.' or '..'": "." in parts or ".." in parts,
        "it has a backslash or a NUL": "\\" in key or "\0" in key,
        f"a part of it starts with {TEMPORARY!r}": any(p.startswith(TEMPORARY) for p in parts),
    }
    for reason, holds in reasons.items():
        if holds:
            return reason
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid UTF-8"
    return f"it has {size} bytes, {MAX_KEY_BYTES} are allowed" if size > MAX_KEY_BYTES else ""
