"""An upload as a source: its files lie in the store already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from db import upload_files
from db.session import Database
from maskpool.domain import ImageRef
from maskpool.ports import ObjectStore
from producer.sources import names
from producer.sources import passed as kinds
from producer.sources.passed import PassedOver
from storage.objects import keys

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class UploadSource:
    """The images of an upload, by name. Who may use it was asked before.

    Attributes:
        upload_id: Of the upload.
        database: Where its files are noted.
        store: Where they lie.
        inside: Beginnings of keys in the store that this source names on purpose.
    """

    upload_id: UUID
    database: Database
    store: ObjectStore
    kind: str = field(default="upload", init=False)
    root: None = field(default=None, init=False)

    @property
    def text(self) -> str:
        """The source as a batch keeps it: ``upload:{id}``."""
        return f"upload:{self.upload_id}"

    @property
    def inside(self) -> tuple[str, ...]:
        """See the class."""
        return (keys.upload_prefix(self.upload_id),)

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """See ``producer.sources.Source``; holds one page of names."""
        passed = PassedOver() if passed is None else passed
        after = ""
        while page := self._page(after):
            after = page[-1].name
            for one in page:
                if one.size is None:
                    passed.add(kinds.UNFINISHED, one.name)
                elif names.is_image(one.name):
                    key = keys.upload_object(self.upload_id, one.name)
                    yield ImageRef(one.name, self.store.uri(key))
                else:
                    passed.add(kinds.ending(one.name), one.name)

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"{self.text}/{name}"]

    def _page(self, after: str) -> list[upload_files.UploadFile]:
        with self.database.read() as session:
            return upload_files.files(session, self.upload_id, after=after, limit=_PAGE)
