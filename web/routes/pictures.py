"""Pictures of a batch's images: small ones to look at, the original only to keep."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field

from producer import originals, pictures
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pictures import Kind, Pictures
from producer.pool import Pool
from producer.visible import find_batch
from web.access import Pooled, needs
from web.problems import Problem
from web.shapes import Shown

router = APIRouter(prefix="/api/v1/batches/{batch_id}/images/{seq}", tags=["pictures"])

Reader = Annotated[Caller, needs(Right.READ)]

_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "A JPEG, upright."}
}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "As it was brought."}
}


class LinkAnswer(Shown):
    """Where the original can be had without asking again."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://store.example.org/…", "seconds": 60}}
    )

    url: str
    seconds: int = Field(description="For how long.")


@router.get("/thumbnail", responses=_JPEG, response_class=Response)
async def thumbnail(
    batch_id: UUID, seq: int, request: Request, pool: Pooled, caller: Reader
) -> Response:
    """Show an image at most 320 pixels wide and high."""
    return await _picture(request, pool, caller, (batch_id, seq), Kind.THUMBNAIL)


@router.get("/view", responses=_JPEG, response_class=Response)
async def view(
    batch_id: UUID, seq: int, request: Request, pool: Pooled, caller: Reader
) -> Response:
    """Show an image at most 2,048 pixels wide and high."""
    return await _picture(request, pool, caller, (batch_id, seq), Kind.VIEW)


@router.get("/original", responses=_BYTES, response_class=StreamingResponse)
def original(batch_id: UUID, seq: int, pool: Pooled, caller: Reader) -> StreamingResponse:
    """Download an image as it was brought; no browser shows it."""
    find_batch(pool, caller, batch_id)
    found = originals.find(pool, batch_id, seq)
    headers = _SAFE | {"Content-Disposition": _attachment(found.name)}
    headers |= {"Content-Length": str(found.size), "Cache-Control": "private"}
    body: Iterator[bytes] = found.read()
    return StreamingResponse(body, headers=headers, media_type="application/octet-stream")


@router.get("/link")
def link(batch_id: UUID, seq: int, pool: Pooled, caller: Reader) -> LinkAnswer:
    """Sign a link to the original in the store, where the store has a public address."""
    find_batch(pool, caller, batch_id)
    if not pool.settings.s3_public_url:
        sentence = "no link is made here; download the original, or set MASKPOOL_S3_PUBLIC_URL"
        raise Problem(404, "picture.no_link", sentence)
    return LinkAnswer(url=originals.link(pool, batch_id, seq), seconds=originals.LINK_SECONDS)


async def _picture(
    request: Request, pool: Pool, caller: Caller, which: tuple[UUID, int], kind: Kind
) -> Response:
    def before() -> bytes | None:
        find_batch(pool, caller, which[0])
        return pictures.cached(pool, *which, kind)

    made = await to_thread.run_sync(before)
    if made is None:
        maker: Pictures = request.app.state.pictures
        made = await to_thread.run_sync(
            lambda: maker.make(pool, *which, kind), limiter=_limiter(request, pool)
        )
    etag = f'"{hashlib.sha256(made).hexdigest()[:32]}"'
    headers = _SAFE | {"ETag": etag, "Cache-Control": "private, max-age=3600"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(made, headers=headers, media_type="image/jpeg")


def _limiter(request: Request, pool: Pool) -> anyio.CapacityLimiter:
    """Those who wait for a child take no thread from the other routes."""
    state = request.app.state
    if not hasattr(state, "picture_limiter"):
        state.picture_limiter = anyio.CapacityLimiter(pool.settings.picture_processes)
    limiter: anyio.CapacityLimiter = state.picture_limiter
    return limiter


def _attachment(name: str) -> str:
    """``Content-Disposition`` for a name of any content (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(PurePosixPath(name).name, safe='')}"
