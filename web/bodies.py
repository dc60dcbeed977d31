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

#: Bytes that are handed over at once.
_PIECE = 512 * 1024

_made: tuple[anyio.CapacityLimiter, anyio.CapacityLimiter] | None = None


async def read_in_thread(request: Request, read: Callable[[Iterator[bytes]], Result]) -> Result:
    """Let a function of a thread read the body; what it reads slowly, the sender sends slowly.

    Args:
        request: Its body is read at most once.
        read: Called with the pieces.

    Raises:
        Problem: 408 where the sender falls silent, 400 where it leaves.
    """
    stream = request.stream().__aiter__()
    at_once, threads = _limiters()
    async with at_once:
        # Most files are whole with it, and their thread waits for nobody.
        pieces = _pieces([await _gather(stream)], stream)
        return await to_thread.run_sync(lambda: read(pieces), limiter=threads)


def _limiters() -> tuple[anyio.CapacityLimiter, anyio.CapacityLimiter]:
    """One for bodies and one for their threads: a task cannot hold the same one twice."""
    global _made  # noqa: PLW0603 - they belong to the one event loop of a process
    if _made is None:
        _made = anyio.CapacityLimiter(_MAX_BODIES), anyio.CapacityLimiter(_MAX_BODIES)
    return _made


def _pieces(held: list[bytes], stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    while held[0]:
        more = len(held[0]) >= _PIECE
        # Popped, so that no piece outlives its use.
        yield held.pop()
        held.append(from_thread.run(_gather, stream) if more else b"")


async def _gather(stream: AsyncIterator[bytes]) -> bytes:
    """The next half megabyte, less only at the end: each call from a thread takes its time."""
    held: list[bytes] = []
    size = 0
    try:
        with anyio.fail_after(_SILENT_SECONDS) as scope:
            while size < _PIECE and (piece := await anext(stream, None)) is not None:
                scope.deadline = anyio.current_time() + _SILENT_SECONDS
                held.append(piece)
                size += len(piece)
    except TimeoutError:
        sentence = f"nothing came for {_SILENT_SECONDS:.0f} seconds; send it again"
        raise Problem(408, "upload.silent", sentence) from None
    except ClientDisconnect:
        raise Problem(400, "upload.cut_off", "the body was cut off; send it again") from None
    return b"".join(held)


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
