"""Hashes by which a bucket's server refuses a body that was damaged on its way."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, BinaryIO

_READ_BYTES = 1024 * 1024


def content_md5(data: bytes) -> str:
    """The value of the header ``Content-MD5`` (RFC 1864) for a body."""
    return _encoded(hashlib.md5(data, usedforsecurity=False))


def hash_parts(client: Any) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
    """Let a client send ``Content-MD5`` with each part of a large upload.

    boto3's upload in parts takes no such header, and its newer checksums fail on several servers.
    """
    client.meta.events.register("before-call.s3.UploadPart", _add_hash)


def _add_hash(params: dict[str, Any], **_: object) -> None:
    body: bytes | BinaryIO = params["body"]
    if isinstance(body, bytes):
        params["headers"]["Content-MD5"] = content_md5(body)
        return
    start, digest = body.tell(), hashlib.md5(usedforsecurity=False)
    while block := body.read(_READ_BYTES):
        digest.update(block)
    body.seek(start)
    params["headers"]["Content-MD5"] = _encoded(digest)


def _encoded(digest: Any) -> str:  # noqa: ANN401 - hashlib's type has no public name
    return base64.b64encode(digest.digest()).decode()
