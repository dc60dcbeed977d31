"""Pictures of an upload's files, before any batch is made of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from producer import originals, uploads
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pictured import Kind, OfUpload
from producer.pool import Pool
from web import picture_answers
from web.access import Pooled, needs
from web.names import NAME
from web.picture_answers import BYTES, JPEG
from web.router import Router

router = Router(prefix="/api/v1/uploads/{upload_id}", tags=["pictures"])

Reader = Annotated[Caller, needs(Right.READ)]


@router.get(f"/thumbnail/{NAME}", responses=JPEG, response_class=Response)
async def thumbnail(
    upload_id: UUID, name: str, request: Request, pool: Pooled, caller: Reader
) -> Response:
    """Show a file of an upload at most 320 pixels wide and high."""
    return await _picture(request, pool, caller, (upload_id, name), Kind.THUMBNAIL)


@router.get(f"/view/{NAME}", responses=JPEG, response_class=Response)
async def view(
    upload_id: UUID, name: str, request: Request, pool: Pooled, caller: Reader
) -> Response:
    """Show a file of an upload at most 2,048 pixels wide and high."""
    return await _picture(request, pool, caller, (upload_id, name), Kind.VIEW)


@router.get(f"/original/{NAME}", responses=BYTES, response_class=StreamingResponse)
def original(
    upload_id: UUID, name: str, request: Request, pool: Pooled, caller: Reader
) -> StreamingResponse:
    """Download a file of an upload as it was brought, or a part by `Range`; no browser shows it."""
    found = uploads.find(pool, caller, upload_id)
    return picture_answers.attachment(request, originals.of_upload(pool, found.id, name))


async def _picture(
    request: Request, pool: Pool, caller: Caller, which: tuple[UUID, str], kind: Kind
) -> Response:
    def find() -> OfUpload:
        uploads.find(pool, caller, which[0])
        return OfUpload.find(pool, *which)

    return await picture_answers.picture(request, pool, find, kind)
