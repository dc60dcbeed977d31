"""A request's body, handed piece by piece to a function that reads it in a thread."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TypeVar

import anyio
from anyio import from_thread, to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from web.problems import Problem

Result = TypeVar("Result")

#: Bodies that one process takes at once; others wait before the first of their bytes is read. They
#: have threads of their own, so that slow senders keep nobody from the other routes.
_MAX_BODIES = 32

#: A sender of whom nothing is heard for so long is given up.
_SILENT_SECONDS = 60.0

_DIGEST = re.compile(r"sha-256\s*=\s*:([A-Za-z0-9+/=]+):")

_limiter: anyio.CapacityLimiter | None = None


async def read_in_thread(request: Request, read: Callable[[Iterator[bytes]], Result]) -> Result:
    """Let a function of a thread read the body; what it reads slowly, the sender sends slowly.

    Args:
        request: Its body is read at most once.
        read: Called with the pieces.

    Raises:
        Problem: 408 where the sender falls silent, 400 where it leaves.
    """
    stream = request.stream().__aiter__()
    return await to_thread.run_sync(lambda: read(_pieces(stream)), limiter=_bodies())


def _bodies() -> anyio.CapacityLimiter:
    global _limiter  # noqa: PLW0603 - it belongs to the one event loop of a process
    if _limiter is None:
        _limiter = anyio.CapacityLimiter(_MAX_BODIES)
    return _limiter


def _pieces(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    while (piece := from_thread.run(_next, stream)) is not None:
        if piece:
            yield piece


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    try:
        with anyio.fail_after(_SILENT_SECONDS):
            return await anext(stream, None)
    except TimeoutError:
        sentence = f"nothing came for {_SILENT_SECONDS:.0f} seconds; send it again"
        raise Problem(408, "upload.silent", sentence) from None
    except ClientDisconnect:
        raise Problem(400, "upload.cut_off", "the body was cut off; send it again") from None


def promised_sha256(header: str | None) -> str | None:
    """What ``Content-Digest: sha-256=:…:`` (RFC 9530) promises, in hex; None where it says nothing.

    Raises:
        Problem: It cannot be read.
    """
    if not header:
        return None
    found = _DIGEST.search(header)
    if found is None:
        return None
    try:
        digest = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise Problem(400, "upload.digest", "Content-Digest: write sha-256=:BASE64: of 32 bytes")
    return digest.hex()
