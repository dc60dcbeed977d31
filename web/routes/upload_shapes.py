"""What is asked and answered of uploads."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from db.upload_files import UploadFile
from db.uploads import Upload
from web.shapes import moment

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
    next: UUID | None = Field(description="Hand it back as `after`; null at the end.")


class ListedFile(BaseModel):
    """A file of an upload."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "a/1.jpg", "size": 40960, "sha256": _SHA}}
    )

    name: str
    size: int | None = Field(description="Bytes; null while parts of it are missing.")
    sha256: str | None

    @classmethod
    def listed(cls, one: UploadFile) -> ListedFile:
        """Of what was found; nobody noted how many parts a file has that is not whole."""
        return ListedFile(name=one.name, size=one.size, sha256=one.sha256)


class FileAnswer(ListedFile):
    """A file of an upload that was sent, or of which a part was."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "a/1.jpg", "size": 40960, "sha256": _SHA, "missing": 0}
        }
    )

    missing: int = Field(default=0, description="Parts that are still to come.")
    task: UUID | None = Field(default=None, description="What unpacks it, where it is a .zip.")

    @classmethod
    def of(cls, one: UploadFile, missing: int = 0, task: UUID | None = None) -> FileAnswer:
        """Of what was found."""
        return cls(name=one.name, size=one.size, sha256=one.sha256, missing=missing, task=task)


class FilePage(BaseModel):
    """Files of an upload, by name."""

    model_config = ConfigDict(json_schema_extra={"example": {"files": [], "next": None}})

    files: list[ListedFile]
    next: str | None = Field(description="Hand it back as `after`; null at the end.")


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
