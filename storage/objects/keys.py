"""Every object key, in one place.

``masks/v1/{batch}/{chunk}-{sha256[:16]}.jsonl.zst`` holds the masks of one chunk,
``sources/{batch}/{name}`` an image that ``submit`` uploaded, ``uploads/{upload}/{name}`` a file
that came through the door, ``thumbs/{batch}/{seq}-{kind}.jpg`` a smaller picture of an image, and
``thumbs/{upload}/{sha256[:32]}-{kind}.jpg`` one of a file, and
``thumbs/{batch}/{seq}-finer-{fineness}.json`` an image's finer masks. Keys are relative to the
store's URL.
"""

from __future__ import annotations

import re
from uuid import UUID

from maskpool.errors import Permanent

#: Bytes of a key that S3 accepts, the store's own prefix included.
MAX_KEY_BYTES = 1024

#: A folder store writes under such a name before it renames; no key may look like one.
TEMPORARY = ".maskpool-writing-"

#: What every mask object starts with, every image of ``submit``, every upload, every small picture.
MASKS = "masks/v1/"
SOURCES = "sources/"
UPLOADS = "uploads/"
THUMBS = "thumbs/"
#: What the clerk's tasks make.
EXPORTS = "exports/"
#: Parts of a large upload until they are joined.
PARTS = "parts/"

#: All that a pool writes into its store.
ROOTS = ("masks/", SOURCES, UPLOADS, THUMBS, PARTS, EXPORTS)

#: What XML 1.0 cannot hold, not even escaped (https://www.w3.org/TR/xml/#charsets).
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_DIGEST_LENGTH = 16
_SUFFIX = ".jsonl.zst"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MASKS_KEY = re.compile(rf"({_UUID})-[0-9a-f]{{{_DIGEST_LENGTH}}}")


def mask_object(batch_id: UUID, masks_key: str) -> str:
    """The object that holds a chunk's masks; ``masks_key`` is kept in the jobs' rows."""
    return f"{masks_prefix(batch_id)}{masks_key}{_SUFFIX}"


def masks_prefix(batch_id: UUID) -> str:
    """What every mask object of a batch starts with."""
    return f"{MASKS}{batch_id}/"


def source_object(batch_id: UUID, name: str) -> str:
    """Where an uploaded image of a batch lies; ``name`` is its path under the source."""
    return f"{sources_prefix(batch_id)}{name}"


def sources_prefix(batch_id: UUID) -> str:
    """What every uploaded image of a batch starts with."""
    return f"{SOURCES}{batch_id}/"


def upload_object(upload_id: UUID, name: str) -> str:
    """Where a file of an upload lies; ``name`` is its path under the upload."""
    return f"{upload_prefix(upload_id)}{name}"


def upload_prefix(upload_id: UUID) -> str:
    """What every file of an upload starts with."""
    return f"{UPLOADS}{upload_id}/"


def part_object(upload_id: UUID, digest: str, part: int) -> str:
    """Where one part of a file waits for the others.

    Args:
        upload_id: Of the upload.
        digest: Names the file: hex digits, as a file's own name may be as long as a key.
        part: From 1.
    """
    return f"{parts_prefix(upload_id)}{digest}/{part:05d}"


def parts_prefix(upload_id: UUID) -> str:
    """What every part of an upload's files starts with."""
    return f"{PARTS}{upload_id}/"


def thumb_object(owner_id: UUID, image: str, kind: str) -> str:
    """Where a smaller picture of an image of a batch, or of an upload, lies."""
    return f"{thumbs_prefix(owner_id)}{image}-{kind}.jpg"


def finer_object(batch_id: UUID, seq: int, fineness: str) -> str:
    """Where the masks of an image of a batch lie that were made finer for whoever looked."""
    return f"{thumbs_prefix(batch_id)}{seq}-finer-{fineness}.json"


def thumbs_prefix(owner_id: UUID) -> str:
    """What every smaller picture of a batch, or of an upload, starts with."""
    return f"{THUMBS}{owner_id}/"


def export_object(task_id: UUID, lease_id: UUID, name: str) -> str:
    """Where a file of a data set lies; each try of its task writes below a name of its own."""
    return f"{exports_prefix(task_id)}{lease_id}/{name}"


def exports_prefix(task_id: UUID) -> str:
    """What every file of a task's data set starts with."""
    return f"{EXPORTS}{task_id}/"


def chunk_masks_key(chunk_id: UUID, sha256_hex: str) -> str:
    """What a job's row keeps of its mask object's key: the chunk, and what its bytes must hash to.

    Two workers that finish one chunk write two objects, unless they wrote the same bytes.
    """
    return f"{chunk_id}-{sha256_hex[:_DIGEST_LENGTH]}"


def digest_of(masks_key: str) -> str:
    """The leading hex digits of the SHA-256 that ``masks_key`` promises."""
    return masks_key.rpartition("-")[2]


def chunk_of(masks_key: str) -> UUID | None:
    """The chunk that a job's ``masks_key`` names, or None where it is no such key."""
    match = _MASKS_KEY.fullmatch(masks_key)
    return UUID(match[1]) if match else None


def masks_key_of(key: str) -> str | None:
    """What a job's row would keep of a mask object's key; None where it is no such object."""
    name = key.rpartition("/")[2].removesuffix(_SUFFIX)
    batch_id = batch_of(key)
    if batch_id is None or chunk_of(name) is None or key != mask_object(batch_id, name):
        return None
    return name


def batch_of(key: str) -> UUID | None:
    """The batch that a mask object or an uploaded image belongs to; None where it is neither."""
    prefix = next((prefix for prefix in (MASKS, SOURCES) if key.startswith(prefix)), None)
    if prefix is None:
        return None
    text = key.removeprefix(prefix).partition("/")[0]
    try:
        batch_id = UUID(text)
    except ValueError:
        return None
    return batch_id if str(batch_id) == text else None


def owner_of(key: str) -> UUID | None:
    """The upload or task, or whose small picture it is, that an object belongs to; else None."""
    prefix = next((one for one in (UPLOADS, PARTS, EXPORTS, THUMBS) if key.startswith(one)), None)
    if prefix is None:
        return None
    text = key.removeprefix(prefix).partition("/")[0]
    return UUID(text) if re.fullmatch(_UUID, text) else None


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


def fits_xml(key: str) -> bool:
    """Whether a request whose body is XML can name this key."""
    return _NOT_IN_XML.search(key) is None
