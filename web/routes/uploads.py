"""Uploads: images that somebody brings, one request a file, or a whole archive.

A body is raw, with ``Content-Length`` or chunked. ``Content-Digest: sha-256=:…:`` is checked where
it is sent. A file may come in parts: ``?part=2&of=5``; ``GET …/parts/…`` says which are there.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from db.uploads import Upload
from maskpool.errors import SpecError
from producer import receiving, tars, uploads
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.arrivals import Arrivals
from producer.parts import MAX_PARTS
from web.access import Pooled, needs
from web.bodies import promised_sha256, read_in_thread
from web.idempotency import Answer, Idempotent, Seal
from web.names import NAME
from web.router import Router
from web.routes.upload_shapes import (
    FileAnswer,
    FilePage,
    ListedFile,
    NewUpload,
    PartsAnswer,
    TarAnswer,
    TaskAnswer,
    UploadAnswer,
    UploadPage,
)

router = Router(prefix="/api/v1/uploads", tags=["uploads"])

Uploader = Annotated[Caller, needs(Right.UPLOAD)]
Reader = Annotated[Caller, needs(Right.READ)]
Deleter = Annotated[Caller, needs(Right.DELETE)]


@router.post("", status_code=201, response_model=UploadAnswer)
def create(body: NewUpload, pool: Pooled, caller: Uploader, once: Idempotent) -> JSONResponse:
    """Begin an upload."""

    def work(seal: Seal) -> Answer:
        def also(session: Session, made: Upload) -> None:
            seal(session, Answer(201, UploadAnswer.of(made)))

        made = uploads.create(pool, caller, name=body.name, team_id=body.team, also=also)
        return Answer(201, UploadAnswer.of(made))

    return once.run(pool, caller, work)


@router.get("")
def listing(
    pool: Pooled,
    caller: Reader,
    after: Annotated[UUID | None, Query(description="`next` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> UploadPage:
    """List uploads, newest first."""
    found = uploads.listing(pool, caller, after=after, limit=limit)
    following = found[-1].id if len(found) == limit else None
    return UploadPage(uploads=[UploadAnswer.of(one) for one in found], next=following)


@router.get("/{upload_id}")
def show(upload_id: UUID, pool: Pooled, caller: Reader) -> UploadAnswer:
    """Show one upload."""
    return UploadAnswer.of(uploads.find(pool, caller, upload_id))


@router.delete("/{upload_id}", status_code=202)
def delete(upload_id: UUID, pool: Pooled, caller: Deleter) -> TaskAnswer:
    """Delete an upload that no batch uses: it is gone at once, its files a little later."""
    found = uploads.find(pool, caller, upload_id, Right.DELETE)
    return TaskAnswer(task=uploads.remove(pool, found))


@router.get("/{upload_id}/files")
def files(
    upload_id: UUID,
    pool: Pooled,
    caller: Reader,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
) -> FilePage:
    """List the files of an upload, by name."""
    found = uploads.files(pool, uploads.find(pool, caller, upload_id), after=after, limit=limit)
    following = found[-1].name if len(found) == limit else None
    return FilePage(files=[ListedFile.listed(one) for one in found], next=following)


@router.put(
    f"/{{upload_id}}/files/{NAME}",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def put_file(
    *,
    upload_id: UUID,
    name: str,
    request: Request,
    pool: Pooled,
    caller: Uploader,
    part: Annotated[int | None, Query(ge=1, le=MAX_PARTS)] = None,
    of: Annotated[int | None, Query(ge=1, le=MAX_PARTS)] = None,
) -> FileAnswer:
    """Send a file as the raw body, or with ``part`` and ``of`` a part of it; a .zip is unpacked."""
    sha256 = promised_sha256(request.headers.get("content-digest"))
    arrivals: Arrivals = request.app.state.arrivals
    which = _part(part, of)
    done = await read_in_thread(
        request,
        lambda chunks: receiving.receive(
            pool,
            arrivals.find(caller, upload_id),
            name,
            chunks,
            sha256=sha256,
            part=which,
            arrivals=arrivals,
        ),
    )
    return FileAnswer.of(done.file, done.missing, done.task_id)


def _part(part: int | None, of: int | None) -> receiving.Part | None:
    """Which part comes; one number alone would make a part the whole file."""
    if part is None and of is None:
        return None
    if part is None or of is None:
        missing = "part" if part is None else "of"
        raise SpecError(missing, "is missing; a part of a file says both, as in ?part=2&of=5")
    return receiving.Part(part, of)


@router.delete(f"/{{upload_id}}/files/{NAME}", status_code=204)
def delete_file(upload_id: UUID, name: str, pool: Pooled, caller: Deleter) -> Response:
    """Delete a file that no batch uses; one that is not whole yet is never used."""
    uploads.remove_file(pool, uploads.find(pool, caller, upload_id, Right.DELETE), name)
    return Response(status_code=204)


@router.get(f"/{{upload_id}}/parts/{NAME}")
def parts(
    upload_id: UUID,
    name: str,
    pool: Pooled,
    caller: Reader,
    of: Annotated[int, Query(ge=1, le=MAX_PARTS)],
) -> PartsAnswer:
    """Say which parts of a file are there, to go on where it was cut off."""
    found = uploads.find(pool, caller, upload_id)
    return PartsAnswer(parts=receiving.parts(pool, found, name, of), of=of)


@router.post(
    "/{upload_id}/tar",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-tar": {"schema": {"type": "string"}}},
        }
    },
)
async def tar(upload_id: UUID, request: Request, pool: Pooled, caller: Uploader) -> TarAnswer:
    """Send a .tar or .tar.gz as the raw body; its images become files while it arrives."""
    arrivals: Arrivals = request.app.state.arrivals
    done = await read_in_thread(
        request,
        lambda chunks: tars.unpack(pool, arrivals.find(caller, upload_id), chunks, arrivals),
    )
    return TarAnswer(
        files=done.files,
        bytes=done.size,
        passed_over=done.passed_over,
        refused=done.refused,
        refused_count=done.refused_count,
    )
