"""Answers that are pictures: small ones to look at, the original only to keep."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import anyio
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from producer import pictured
from producer.originals import Original
from producer.pictured import Kind, Pictured
from producer.pictures import Pictures
from producer.pool import Pool
from web import etags, ranges

_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}

#: What routes say of them in the API's description.
JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "A JPEG, upright."}
}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "As it was brought."},
    206: {"content": {"application/octet-stream": {}}, "description": "The part of `Range`."},
}


async def picture(
    request: Request, pool: Pool, find: Callable[[], Pictured], kind: Kind
) -> Response:
    """A small picture, as it was kept, or made now.

    Args:
        request: Its ``If-None-Match`` counts.
        pool: Where the image is.
        find: Finds the image for whom may see it; called in a thread.
        kind: Which picture.
    """

    def before() -> tuple[Pictured, bytes | None]:
        image = find()
        return image, pictured.cached(pool, image, kind)

    image, made = await to_thread.run_sync(before)
    if made is None:
        maker: Pictures = request.app.state.pictures
        made = await to_thread.run_sync(
            lambda: maker.make(pool, image, kind), limiter=limiter(request, pool)
        )
    etag = f'"{hashlib.sha256(made).hexdigest()[:32]}"'
    headers = _SAFE | {"ETag": etag, "Cache-Control": "private, max-age=3600"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(made, headers=headers, media_type="image/jpeg")


def attachment(request: Request, found: Original) -> StreamingResponse:
    """An image as it was brought, or the part of it that was asked for; no browser shows it."""
    headers = _SAFE | {"Content-Disposition": _disposition(found.name), "Cache-Control": "private"}
    part = None
    if found.version:
        # Two parts of what may have changed between them would be no image.
        etag = etags.etag_of([found.version, found.size])
        asked = request.headers.get("range"), request.headers.get("if-range")
        part = ranges.wanted(*asked, etag, found.size)
        headers |= {"ETag": etag, "Accept-Ranges": "bytes"}
    start, stop = part or (0, found.size)
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    return StreamingResponse(
        found.read(start, stop),
        status_code=200 if part is None else 206,
        headers=headers,
        media_type="application/octet-stream",
    )


def limiter(request: Request, pool: Pool) -> anyio.CapacityLimiter:
    """Those who wait for a child take no thread from the other routes."""
    state = request.app.state
    if not hasattr(state, "picture_limiter"):
        state.picture_limiter = anyio.CapacityLimiter(pool.settings.picture_processes)
    waiting: anyio.CapacityLimiter = state.picture_limiter
    return waiting


def _disposition(name: str) -> str:
    """``Content-Disposition`` for a name of any content (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(PurePosixPath(name).name, safe='')}"
