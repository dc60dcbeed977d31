"""Manifests: files that list images, one a line (JSONL, plain text) or one a row (CSV).

A path is relative to the manifest's folder, or absolute, or ``file://``, ``s3://``, ``http://`` or
``https://``. A name that is not given is the path below the manifest's folder, the key below the
bucket, or host and path of a URL.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from maskpool.asks import ImageAsks
from maskpool.domain import ImageRef
from maskpool.errors import SourceError, SpecError
from producer.sources import names, web
from producer.sources.allowed import ANYWHERE, Allowed, FolderRefusal
from producer.sources.passed import PassedOver
from storage.images.web.urls import is_web, split_web
from storage.uris import file_uri, path_of, split_s3

#: Where a line says which image it means; the first that is there counts.
URI_FIELDS = ("uri", "image", "path", "file", "url", "source-ref")

#: Where a line says what its image alone is asked.
PROMPTS = "prompts"

#: A longer line is no line of a manifest, and would have to be held in memory.
_MAX_LINE_BYTES = 1024 * 1024

#: Relative paths that need no further check: such a path is its own name, and needs no escape.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PLAIN_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Base:
    """The manifest's folder, resolved once: doing it for each line costs system calls."""

    root: Path
    inside: str
    prefix: str
    refusal: FolderRefusal | None

    @classmethod
    def of(cls, source: ListSource) -> Base:
        """The base of a manifest."""
        root = source.root
        inside = f"{str(root).rstrip('/')}/"
        return cls(root, inside, file_uri(inside), source.allowed.folder_refusal())


@dataclass(frozen=True, slots=True)
class ListSource:
    """What all kinds of manifest share.

    Attributes:
        allowed: What the workers may read; another place is refused at its line.
    """

    text: str
    path: Path
    allowed: Allowed = ANYWHERE
    kind: str = ""

    @property
    def root(self) -> Path:
        """The manifest's folder."""
        return self.path.parent.resolve()

    def refs(self, _passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Images in the order of the manifest; holds one line at a time."""
        for _, ref in self.numbered():
            yield ref

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"line {line}" for line, ref in self.numbered() if ref.name == name]

    def numbered(self) -> Iterator[tuple[int, ImageRef]]:
        """Images with the lines that name them, from 1."""
        raise NotImplementedError

    def may_ask(self) -> bool:
        """Whether a line may carry what its image alone is asked; false alarms are no harm."""
        return False

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers from 1, without a byte order mark."""
        try:
            with self.path.open("rb") as file:
                first = file.read(2)
                if first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                    raise self.error(1, "is UTF-16; save the manifest as UTF-8")
                file.seek(0)
                if file.read(3) != codecs.BOM_UTF8:
                    file.seek(0)
                read_line = partial(file.readline, _MAX_LINE_BYTES)
                for number, line in enumerate(iter(read_line, b""), 1):
                    if len(line) == _MAX_LINE_BYTES:
                        raise self.error(number, f"is longer than {_MAX_LINE_BYTES:,} bytes")
                    yield number, line
        except OSError as error:
            raise SourceError(self.text, f"cannot be read: {error.strerror}") from None

    def texts(self) -> Iterator[tuple[int, str]]:
        """Lines as text."""
        for number, line in self.lines():
            try:
                yield number, line.decode()
            except UnicodeDecodeError:
                raise self.error(number, "is not UTF-8; save the manifest as UTF-8") from None

    def ref(
        self, base: Base, line: int, uri: object, name: object, prompts: object = None
    ) -> ImageRef:
        """One line's reference."""
        if prompts is not None:
            asks = self._asks(line, prompts)
            return replace(self.ref(base, line, uri, name), prompts=asks.json_text)
        if (
            name is None
            and isinstance(uri, str)
            and len(uri) < _PLAIN_LENGTH
            and _PLAIN.fullmatch(uri)
        ):
            if base.refusal and (reason := base.refusal((base.inside + uri).rpartition("/")[0])):
                raise self.error(line, reason)
            return ImageRef(uri, base.prefix + uri)
        if not isinstance(uri, str) or not uri:
            raise self.error(line, f"the image must be a path or a URI, not {uri!r:.80}")
        if name is not None and not isinstance(name, str):
            raise self.error(line, f"the name must be a text, not {name!r:.80}")
        full, default = self._located(base, line, uri)
        given = name or default
        if reason := names.refusal(given):
            raise self.error(line, f"the name {names.shown(given)} {reason}")
        return ImageRef(given, full)

    def _asks(self, line: int, prompts: object) -> ImageAsks:
        try:
            return ImageAsks.read(prompts)
        except SpecError as error:
            # What is wrong with all of them has no field's name.
            reason = error.reason if error.field == "spec" else str(error)
            raise self.error(line, f"prompts: {reason}") from None

    def _located(self, base: Base, line: int, uri: str) -> tuple[str, str]:
        """The full URI, and the name if none is given."""
        scheme, separator, _ = uri.partition("://")
        if not separator:
            return self._at_path(base, line, uri)
        if scheme == "s3":
            place = split_s3(uri)
            if place is None or not place[1] or place[1].endswith("/"):
                raise self.error(line, f"{names.shown(uri)} is no object; s3://bucket/key is one")
            if reason := self.allowed.bucket_refusal(uri):
                raise self.error(line, reason)
            return uri, place[1]
        if scheme == "file":
            path = path_of(uri)
            if path is None:
                raise self.error(line, f"{names.shown(uri)} must be file:///absolute/path")
            return self._at_path(base, line, path)
        if is_web(uri):
            return self._on_the_web(line, uri)
        raise self.error(
            line, f"{names.shown(uri)}: write a path, file:///…, s3://bucket/key or https://host/…"
        )

    def _on_the_web(self, line: int, uri: str) -> tuple[str, str]:
        try:
            url = split_web(uri)
        except ValueError as error:
            raise self.error(line, f"this URL {error}") from None
        if reason := web.refusal(url, self.allowed.hosts):
            raise self.error(line, reason)
        return str(url), web.name_of(url)

    def _at_path(self, base: Base, line: int, path: str) -> tuple[str, str]:
        if "\0" in path or path.endswith("/"):
            raise self.error(line, f"{names.shown(path)} is no path of a file")
        full = os.path.normpath(os.path.join(base.root, path))  # noqa: PTH118 - a Path for each line is slow
        if "/../" in path and _goes_elsewhere(base, path, full):
            raise self.error(
                line,
                f"{names.shown(path)} goes back ('..') from a linked folder, which leads elsewhere "
                "than it reads; write the path without '..'",
            )
        if base.refusal and (reason := base.refusal(full.rpartition("/")[0])):
            raise self.error(line, reason)
        return file_uri(full), names.name_under(base.root, full)

    def unpadded(self, base: Base, line: int, text: str) -> str:
        """Without the spaces around it, which are no part of a path; see ``TextSource``."""
        plain = text.strip()
        if plain.startswith("\ufeff"):
            raise self.error(
                line,
                "begins with a byte order mark, as where two lists were joined; remove it, or name "
                "such a file in a .jsonl",
            )
        if len(plain) != len(text) and plain and is_there(base, text):
            raise self.error(
                line,
                f"{names.shown(text)} begins or ends with a space, and there is such a file; name "
                "it in a .jsonl, where spaces count",
            )
        return plain

    def error(self, line: int, reason: str) -> SourceError:
        """The refusal of a line."""
        return SourceError(self.text, reason, line)


def _goes_elsewhere(base: Base, path: str, full: str) -> bool:
    """Whether the system takes ``path`` for another file than ``full``, which has no ``..``."""
    # A manifest's own folder has no links in its path, so leading '..' are as they read.
    if path.startswith("../") and "/../" not in path.lstrip("./"):
        return False
    return os.path.realpath(os.path.join(base.root, path)) != os.path.realpath(full)  # noqa: PTH118 - as above


def is_there(base: Base, path: str) -> bool:
    """Whether a file, a folder or a link is there."""
    return os.path.lexists(os.path.join(base.root, path))  # noqa: PTH118 - as above
