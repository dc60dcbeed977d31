"""Uploads: images that somebody brings, one request a file, or a whole archive.

A body is raw, with ``Content-Length`` or chunked. ``Content-Digest: sha-256=:…:`` is checked where
it is sent. A file may come in parts: ``?part=2&of=5``; ``GET …/parts/…`` says which are there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from db.upload_files import UploadFile
from db.uploads import Upload
from producer import receiving, tars, uploads
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.arrivals import Arrivals
from web.access import Pooled, needs
from web.bodies import promised_sha256, read_in_thread
from web.shapes import moment

router = APIRouter(prefix="/api/v1/uploads", tags=["uploads"])

Uploader = Annotated[Caller, needs(Right.UPLOAD)]
Reader = Annotated[Caller, needs(Right.READ)]
Deleter = Annotated[Caller, needs(Right.DELETE)]

_ID = "01a22000-0000-7000-8000-000000000001"
_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class NewUpload(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"name": "yard in May"}}
    )

    name: str = Field(default="", max_length=200, description="For people.")
    team: Annotated[UUID | None, Field(strict=False)] = Field(
        default=None, description="Whose members may submit it; null: you alone."
    )


class UploadAnswer(BaseModel):
    """An upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _ID,
                "name": "yard in May",
                "team": None,
                "created_at": "2026-11-28T14:00:00Z",
                "expires_at": "2026-12-05T14:00:00Z",
                "used": False,
                "files": 2,
                "bytes": 81920,
            }
        }
    )

    id: UUID
    name: str
    team: UUID | None
    created_at: datetime
    expires_at: datetime = Field(description="It is cleared away then, unless a batch uses it.")
    used: bool = Field(description="Whether a batch uses it.")
    files: int
    bytes: int

    @classmethod
    def of(cls, one: Upload) -> UploadAnswer:
        """Of what was found."""
        return cls(
            id=one.id,
            name=one.name,
            team=one.team_id,
            created_at=moment(one.created_at),
            expires_at=moment(one.expires_at),
            used=one.used,
            files=one.files,
            bytes=one.size,
        )


class UploadPage(BaseModel):
    """Uploads, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"uploads": [], "next": None}})

    uploads: list[UploadAnswer]
    next: UUID | None = Field(description="``before`` of the next page; null: this was the last.")


class FileAnswer(BaseModel):
    """A file of an upload."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "a/1.jpg", "size": 40960, "sha256": _SHA, "missing": 0}
        }
    )

    name: str
    size: int | None = Field(description="Bytes; null while parts of it are missing.")
    sha256: str | None
    missing: int = Field(default=0, description="Parts that are still to come.")
    task: UUID | None = Field(default=None, description="What unpacks it, where it is a .zip.")

    @classmethod
    def of(cls, one: UploadFile, missing: int = 0, task: UUID | None = None) -> FileAnswer:
        """Of what was found."""
        return cls(name=one.name, size=one.size, sha256=one.sha256, missing=missing, task=task)


class FilePage(BaseModel):
    """Files of an upload, by name."""

    model_config = ConfigDict(json_schema_extra={"example": {"files": [], "next": None}})

    files: list[FileAnswer]
    next: str | None = Field(description="``after`` of the next page; null: this was the last.")


class PartsAnswer(BaseModel):
    """Which parts of a file are there."""

    model_config = ConfigDict(json_schema_extra={"example": {"parts": [1, 3], "of": 5}})

    parts: list[int]
    of: int


class TarAnswer(BaseModel):
    """What became of an archive's members."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "files": 2,
                "bytes": 81920,
                "passed_over": {".txt": 1},
                "refused": {"'../a.jpg'": "has a part '.' or '..'"},
                "refused_count": 1,
            }
        }
    )

    files: int = Field(description="That are in the upload now.")
    bytes: int
    passed_over: dict[str, int] = Field(description="What is no image, counted by kind.")
    refused: dict[str, str] = Field(description="Members with the reason; the first hundred.")
    refused_count: int


class TaskAnswer(BaseModel):
    """What clears it away."""

    model_config = ConfigDict(json_schema_extra={"example": {"task": _ID}})

    task: UUID


@router.post("", status_code=201)
def create(body: NewUpload, pool: Pooled, caller: Uploader) -> UploadAnswer:
    """Begin an upload."""
    return UploadAnswer.of(uploads.create(pool, caller, name=body.name, team_id=body.team))


@router.get("")
def listing(
    pool: Pooled,
    caller: Reader,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> UploadPage:
    """List uploads, newest first."""
    found = uploads.listing(pool, caller, before=before, limit=limit)
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
    return FilePage(files=[FileAnswer.of(one) for one in found], next=following)


@router.put(
    "/{upload_id}/files/{name:path}",
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
    part: Annotated[int | None, Query(ge=1, le=receiving.MAX_PARTS)] = None,
    of: Annotated[int | None, Query(ge=1, le=receiving.MAX_PARTS)] = None,
) -> FileAnswer:
    """Send a file as the raw body, or with ``part`` and ``of`` a part of it; a .zip is unpacked."""
    sha256 = promised_sha256(request.headers.get("content-digest"))
    arrivals: Arrivals = request.app.state.arrivals
    which = receiving.Part(part or 1, of or 1) if part is not None or of is not None else None
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


@router.delete("/{upload_id}/files/{name:path}", status_code=204)
def delete_file(upload_id: UUID, name: str, pool: Pooled, caller: Deleter) -> Response:
    """Delete one file of an upload that no batch uses."""
    uploads.remove_file(pool, uploads.find(pool, caller, upload_id, Right.DELETE), name)
    return Response(status_code=204)


@router.get("/{upload_id}/parts/{name:path}")
def parts(
    upload_id: UUID,
    name: str,
    pool: Pooled,
    caller: Reader,
    of: Annotated[int, Query(ge=1, le=receiving.MAX_PARTS)] = 1,
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
