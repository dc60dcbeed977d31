"""Which image a small picture is of, which picture, and under which key it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from db import jobs, upload_files
from maskpool.errors import NotFound
from maskpool.picture_sizes import THUMBNAIL_SIDE, VIEW_SIDE
from producer.pool import Pool
from storage.objects import keys


class Kind(StrEnum):
    """Which picture of an image."""

    THUMBNAIL = "thumbnail"
    VIEW = "view"

    @property
    def side(self) -> int:
        """Pixels that it has at most, either way."""
        return THUMBNAIL_SIDE if self is Kind.THUMBNAIL else VIEW_SIDE


class Pictured(Protocol):
    """An image of which pictures are made."""

    @property
    def batch_id(self) -> UUID | None:
        """Of whose batch it is read; None: of none."""

    def key(self, kind: Kind) -> str:
        """Where a picture of it is kept."""

    def uri(self, pool: Pool) -> str:
        """Where it lies.

        Raises:
            NotFound: It is not there.
        """


@dataclass(frozen=True, slots=True)
class OfBatch:
    """An image of a batch."""

    batch_id: UUID
    seq: int

    def key(self, kind: Kind) -> str:
        """See ``Pictured``."""
        return keys.thumb_object(self.batch_id, str(self.seq), kind)

    def uri(self, pool: Pool) -> str:
        """See ``Pictured``."""
        with pool.database.read() as session:
            return jobs.loaded(session, self.batch_id, self.seq).image_uri


@dataclass(frozen=True, slots=True)
class OfUpload:
    """A file of an upload; another file that comes under its name has pictures of its own."""

    upload_id: UUID
    name: str
    sha256: str

    @property
    def batch_id(self) -> UUID | None:
        """See ``Pictured``."""
        return None

    @classmethod
    def find(cls, pool: Pool, upload_id: UUID, name: str) -> OfUpload:
        """A file that is whole.

        Raises:
            NotFound: There is none.
        """
        with pool.database.read() as session:
            file = upload_files.whole(session, upload_id, name)
        return cls(upload_id, name, file.sha256 or "")

    def key(self, kind: Kind) -> str:
        """See ``Pictured``."""
        return keys.thumb_object(self.upload_id, self.sha256[:32], kind)

    def keys(self) -> list[str]:
        """Of all its pictures."""
        return [self.key(kind) for kind in Kind]

    def uri(self, pool: Pool) -> str:
        """See ``Pictured``."""
        return pool.store().uri(keys.upload_object(self.upload_id, self.name))


def cached(pool: Pool, image: Pictured, kind: Kind) -> bytes | None:
    """A picture that was made before; None where none was."""
    try:
        return pool.store().get(image.key(kind))
    except NotFound:
        return None
