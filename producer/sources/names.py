"""Names of images: what a path, a key or a manifest's ``name`` may look like."""

from __future__ import annotations

import os
from pathlib import Path

from maskpool.errors import SourceError

#: Bytes of a name: as long as a key of S3.
MAX_NAME_BYTES = 1024

#: What a folder, a glob or a bucket is searched for, in lower case.
IMAGE_SUFFIXES = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".hif",
        ".jfif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".mpo",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    }
)

#: Manifests, in lower case; ``producer.sources.list_kinds`` has a reader for each.
LIST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".manifest", ".txt")


def is_image(name: str) -> bool:
    """Whether a file's name says that it is an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - no Path for each key


def is_list(name: str) -> bool:
    """Whether a file's name says that it is a manifest."""
    return os.path.splitext(name)[1].lower() in LIST_SUFFIXES  # noqa: PTH122 - as above


def refusal(name: str) -> str:
    """Why ``name`` cannot name an image, or an empty string if it can."""
    parts = name.split("/")
    reasons = {
        "is empty": not name,
        "starts or ends with '/', or has two of them in a row": "" in parts,
        "has a part '.' or '..'": "." in parts or ".." in parts,
        "has a NUL": "\0" in name,
        "has a backslash; separate folders by '/'": "\\" in name,
    }
    for reason, holds in reasons.items():
        if holds:
            return reason
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid UTF-8; rename the file"
    if size > MAX_NAME_BYTES:
        return f"has {size} bytes, {MAX_NAME_BYTES} are allowed"
    return ""


def require(source: str, name: str) -> None:
    """Refuse what cannot name an image.

    Args:
        source: Where it was found, as its user wrote it.
        name: Of any content.

    Raises:
        SourceError: It is refused; names it.
    """
    if reason := refusal(name):
        reason = f"the name {shown(name)} {reason}"
        raise SourceError(source, reason, code="source.name", params={"name": name})


def shown(name: str) -> str:
    """A name of any content, escaped and shortened so that it can be printed."""
    text = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return repr(text if len(text) <= 200 else f"{text[:200]}…")


def name_under(root: Path, path: str) -> str:
    """A path as a name: below ``root`` where it lies there, else from the file system's root."""
    inside = f"{root}/" if str(root) != "/" else "/"
    return path.removeprefix(inside) if path.startswith(inside) else path.lstrip("/")
