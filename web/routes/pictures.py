"""Pictures of a batch's images: small ones to look at, the original only to keep."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field

from producer import originals
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pictured import Kind, OfBatch
from producer.pool import Pool
from producer.visible import find_batch
from web import picture_answers
from web.access import Pooled, needs
from web.picture_answers import BYTES, JPEG
from web.problems import Problem
from web.router import Router
from web.shapes import Shown
from web.watcher import Watcher

router = Router(prefix="/api/v1/batches/{batch_id}/images/{seq}", tags=["pictures"])

Reader = Annotated[Caller, needs(Right.READ)]


class LinkAnswer(Shown):
    """Where the original can be had without asking again."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://store.example.org/…", "seconds": 60}}
    )

    url: str
    seconds: int = Field(description="For how long.")


@router.get("/thumbnail", responses=JPEG, response_class=Response)
async def thumbnail(
    batch_id: UUID, seq: int, request: Request, pool: Pooled, caller: Reader
) -> Response:
    """Show an image at most 320 pixels wide and high."""
    return await _picture(request, pool, caller, OfBatch(batch_id, seq), Kind.THUMBNAIL)


@router.get("/view", responses=JPEG, response_class=Response)
async def view(
    batch_id: UUID, seq: int, request: Request, pool: Pooled, caller: Reader
) -> Response:
    """Show an image at most 2,048 pixels wide and high."""
    return await _picture(request, pool, caller, OfBatch(batch_id, seq), Kind.VIEW)


@router.get("/original", responses=BYTES, response_class=StreamingResponse)
def original(
    batch_id: UUID, seq: int, request: Request, pool: Pooled, caller: Reader
) -> StreamingResponse:
    """Download an image as it was brought, or a part of it by `Range`; no browser shows it."""
    find_batch(pool, caller, batch_id)
    return picture_answers.attachment(request, originals.find(pool, batch_id, seq))


@router.get("/link")
def link(batch_id: UUID, seq: int, pool: Pooled, caller: Reader) -> LinkAnswer:
    """Sign a link to the original in the store, where the store has a public address."""
    find_batch(pool, caller, batch_id)
    if not pool.settings.s3_public_url:
        sentence = "no link is made here; download the original, or set MASKPOOL_S3_PUBLIC_URL"
        raise Problem(404, "picture.no_link", sentence)
    return LinkAnswer(url=originals.link(pool, batch_id, seq), seconds=originals.LINK_SECONDS)


async def _picture(
    request: Request, pool: Pool, caller: Caller, image: OfBatch, kind: Kind
) -> Response:
    watcher: Watcher = request.app.state.watcher
    await watcher.find(caller, image.batch_id)
    return await picture_answers.picture(request, pool, lambda: image, kind)
