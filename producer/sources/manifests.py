"""A manifest that is a file of an upload: read by ranges where it lies, a line at a time.

Its lines name files of the same upload, by their paths from the manifest's own folder, and
addresses that the team may read. None leads to a disk, or into the store by its address.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO, NamedTuple
from uuid import UUID

from db import upload_files
from db.session import Database
from maskpool.domain import ImageRef
from maskpool.errors import NotFound, SourceError
from maskpool.ports import ObjectStore
from producer.accounts.grants import Unread
from producer.archives.ranged import RangedFile
from producer.sources import names
from producer.sources.allowed import Allowed
from producer.sources.bad_lines import BadLines
from producer.sources.grounds import Misplaced, elsewhere
from producer.sources.list_kinds import LISTS
from producer.sources.lists import ListSource, refuse
from producer.sources.passed import PassedOver
from storage.images.web.urls import shown_address, without_query
from storage.objects import keys

#: Lines whose files are looked for by one statement, and how many characters they may ask.
_PAGE, _PAGE_TEXT = 500, 4 * 1024 * 1024

#: Bytes of what was fetched that are taken at once.
_BUFFER = 256 * 1024

#: Lines after which whoever waits hears how far the checking is.
_TOLD_EVERY = 1_000

OnBad = Callable[[SourceError], None]


@dataclass(frozen=True, slots=True)
class ManifestSource:
    """The images that a manifest in an upload names. Who may use the upload was asked before.

    Attributes:
        upload_id: Of the upload.
        file: The manifest's name in it.
        database: Where the upload's files are noted.
        store: Where they lie.
        refusal: Why an address may not be read by whom the batch is for; None where it may.
        allowed: What the workers may read.
    """

    upload_id: UUID
    file: str
    database: Database
    store: ObjectStore
    refusal: Callable[[str], Unread | None]
    allowed: Allowed
    root: None = field(default=None, init=False)

    @property
    def text(self) -> str:
        """The source as a batch keeps it: ``upload:{id}/{file}``."""
        return f"upload:{self.upload_id}/{self.file}"

    @property
    def kind(self) -> str:
        """As of a manifest on a disk."""
        return self._reader().kind

    @property
    def inside(self) -> tuple[str, ...]:
        """See ``producer.sources.uploads.UploadSource``."""
        return (keys.upload_prefix(self.upload_id),)

    def refs(self, _passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """See ``producer.sources.Source``; holds one page of lines."""
        for _, ref in self.numbered():
            yield ref

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"line {line}" for line, ref in self.numbered() if ref.name == name]

    def may_ask(self) -> bool:
        """See ``producer.sources.lists.ListSource``."""
        return self._reader().may_ask()

    def numbered(self, on_bad: OnBad = refuse) -> Iterator[tuple[int, ImageRef]]:
        """Images with the lines that name them, from 1.

        Args:
            on_bad: Given the refusal of a line; where it returns, the line is left out.

        Raises:
            SourceError: Nothing can be read from a line on.
            Unreachable: Store or database is away.
        """
        places = _Places(self)
        page, text = list[_Line](), 0
        for number, ref in self._reader(places, on_bad).numbered():
            page.append(_Line(number, ref, places.file))
            text += len(ref.prompts or "")
            if len(page) == _PAGE or text > _PAGE_TEXT:
                yield from self._there(page, on_bad)
                page, text = [], 0
        yield from self._there(page, on_bad)

    def require_good(self, on_read: Callable[[int], object]) -> None:
        """Read it to its end before anything is made of it, to tell all that is wrong at once.

        Args:
            on_read: Called with the lines that were good so far.

        Raises:
            SourceError: Lines are refused: names the first of them, and counts them all.
        """
        bad = BadLines()
        try:
            for count, _ in enumerate(self.numbered(bad.add), start=1):
                if count % _TOLD_EVERY == 0:
                    on_read(count)
        except SourceError as error:
            bad.add(error)
            bad.cut_off = True
        bad.require_none(self.file)

    def _reader(self, places: _Places | None = None, on_bad: OnBad = refuse) -> ListSource:
        reader = LISTS.get(posixpath.splitext(self.file)[1].lower())
        if reader is None:
            raise SourceError(self.file, f"is no manifest by its name ({', '.join(LISTS)})")
        ground = _UploadGround(self, places or _Places(self))
        return replace(reader(self.file, ground), on_bad=on_bad)

    def _there(self, page: list[_Line], on_bad: OnBad) -> Iterator[tuple[int, ImageRef]]:
        """Those of some lines that name no file of the upload, or one that is there."""
        wanted = {line.file for line in page if line.file}
        with self.database.read() as session:
            there = upload_files.named(session, self.upload_id, wanted) if wanted else {}
        for number, ref, file in page:
            if lack := _lack(file, there.get(file)):
                code, reason = lack
                reason, params = f"{names.shown(file)} {reason}", {"name": file}
                on_bad(SourceError(self.file, reason, number, code=code, params=params))
            else:
                yield number, ref


class _Line(NamedTuple):
    """What a line names, and which file of the upload that is; empty where it lies elsewhere."""

    number: int
    ref: ImageRef
    file: str


def _lack(file: str, there: upload_files.UploadFile | None) -> tuple[str, str] | None:
    """Why a file of the upload cannot be an image, as a code and words; None where it can."""
    if not file:
        return None
    if there is None:
        said = "is not in this upload; bring it first, or write its whole address"
        return "manifest.gone", said
    if there.size is None:
        said = "is not in this upload as a whole; send the parts that are missing first"
        return "manifest.parts", said
    return None if names.is_image(file) else ("manifest.no_image", "is no image by its name")


@dataclass(frozen=True, slots=True)
class _UploadGround:
    """See ``producer.sources.grounds.Ground``."""

    source: ManifestSource
    lines: _Places
    root: None = field(default=None, init=False)

    def opened(self) -> BinaryIO:
        """See ``producer.sources.grounds.Ground``."""
        source = self.source
        try:
            key = keys.upload_object(source.upload_id, source.file)
            return io.BufferedReader(RangedFile(source.store, key), _BUFFER)
        except NotFound:
            reason, params = "is not in the upload any more; bring it again", {"name": source.file}
            raise SourceError(source.file, reason, code="manifest.gone", params=params) from None

    def places(self) -> _Places:
        """See ``producer.sources.grounds.Ground``."""
        return self.lines


class _Places:
    """See ``producer.sources.grounds.Places``.

    Attributes:
        file: Of the upload, that the line just read names; empty where it names none.
    """

    def __init__(self, source: ManifestSource) -> None:
        self._refusal, self._allowed = source.refusal, source.allowed
        self._folder = source.file[: source.file.rfind("/") + 1]
        self._uri = partial(_uri, source)
        self.file = ""

    def plain(self, path: str) -> str:
        """See ``producer.sources.grounds.Places``."""
        self.file = self._folder + path
        return self._uri(self.file)

    def located(self, uri: str) -> tuple[str, str]:
        """See ``producer.sources.grounds.Places``."""
        self.file = ""
        scheme, separator, _ = uri.partition("://")
        if not separator:
            return self._in_upload(uri)
        if scheme == "file":
            raise Misplaced(
                f"{names.shown(uri)} is a file on a disk, which is not read from here; bring it "
                "into this upload and write its path there",
                code="place.kind",
                params={"place": uri},
            )
        if why := self._refusal(uri):
            # What stands before an @ may be a password.
            shown = "this address" if "@" in uri else names.shown(without_query(uri))
            params = {"place": shown_address(uri)}
            raise Misplaced(f"{shown} {why.reason}", code=why.code, params=params)
        found = elsewhere(uri, self._allowed)
        if found is None:
            reason = f"{names.shown(uri)} is no s3://, http:// or https:// address"
            raise Misplaced(reason, code="place.kind", params={"place": shown_address(uri)})
        return found

    def is_there(self, path: str) -> bool:  # noqa: ARG002 - of the protocol
        """Never: spaces around a name count in a .jsonl only."""
        return False

    def _in_upload(self, path: str) -> tuple[str, str]:
        full = posixpath.normpath(posixpath.join(self._folder, path))
        if path.startswith("/") or full == ".." or full.startswith("../"):
            raise Misplaced(
                f"{names.shown(path)} leads out of the upload; write the path of one of its files, "
                "from the manifest's folder on",
                code="manifest.outside",
                params={"name": path},
            )
        if reason := names.refusal(full):
            reason = f"the name {names.shown(path)} {reason}"
            raise Misplaced(reason, code="source.name", params={"name": path})
        self.file = full
        return self._uri(full), full.removeprefix(self._folder)


def _uri(source: ManifestSource, file: str) -> str:
    return source.store.uri(keys.upload_object(source.upload_id, file))
