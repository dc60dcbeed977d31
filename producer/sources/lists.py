"""Manifests: files that list images, one a line (JSONL, plain text) or one a row (CSV).

A path is relative to the manifest's folder, or absolute, or ``file://``, ``s3://``, ``http://`` or
``https://``. A name that is not given is the path below the manifest's folder, the key below the
bucket, or host and path of a URL.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import names, web
from producer.sources.allowed import ANYWHERE, Allowed, FolderRefusal
from storage.images.web.urls import is_web, split_web
from storage.uris import file_uri, path_of, split_s3

#: Where a line says which image it means; the first that is there counts.
_URI_FIELDS = ("uri", "image", "path", "file", "url", "source-ref")

#: A longer line is no line of a manifest, and would have to be held in memory.
_MAX_LINE_BYTES = 1024 * 1024

#: Relative paths that need no further check: such a path is its own name, and needs no escape.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PLAIN_LENGTH = 500


@dataclass(frozen=True, slots=True)
class _Base:
    """The manifest's folder, resolved once: doing it for each line costs system calls."""

    root: Path
    inside: str
    prefix: str
    refusal: FolderRefusal | None

    @classmethod
    def of(cls, source: _ListSource) -> _Base:
        root = source.root
        inside = f"{str(root).rstrip('/')}/"
        return cls(root, inside, file_uri(inside), source.allowed.folder_refusal())


@dataclass(frozen=True, slots=True)
class _ListSource:
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

    def refs(self) -> Iterator[ImageRef]:
        """Images in the order of the manifest; holds one line at a time."""
        for _, ref in self._numbered():
            yield ref

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [f"line {line}" for line, ref in self._numbered() if ref.name == name]

    def _numbered(self) -> Iterator[tuple[int, ImageRef]]:
        raise NotImplementedError

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with their numbers from 1, without a byte order mark."""
        try:
            with self.path.open("rb") as file:
                first = file.read(2)
                if first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                    raise self._error(1, "is UTF-16; save the manifest as UTF-8")
                file.seek(0)
                if file.read(3) != codecs.BOM_UTF8:
                    file.seek(0)
                read_line = partial(file.readline, _MAX_LINE_BYTES)
                for number, line in enumerate(iter(read_line, b""), 1):
                    if len(line) == _MAX_LINE_BYTES:
                        raise self._error(number, f"is longer than {_MAX_LINE_BYTES:,} bytes")
                    yield number, line
        except OSError as error:
            raise SourceError(self.text, f"cannot be read: {error.strerror}") from None

    def _texts(self) -> Iterator[tuple[int, str]]:
        for number, line in self._lines():
            try:
                yield number, line.decode()
            except UnicodeDecodeError:
                raise self._error(number, "is not UTF-8; save the manifest as UTF-8") from None

    def _ref(self, base: _Base, line: int, uri: object, name: object) -> ImageRef:
        """One line's reference."""
        if (
            name is None
            and isinstance(uri, str)
            and len(uri) < _PLAIN_LENGTH
            and _PLAIN.fullmatch(uri)
        ):
            if base.refusal and (reason := base.refusal((base.inside + uri).rpartition("/")[0])):
                raise self._error(line, reason)
            return ImageRef(uri, base.prefix + uri)
        if not isinstance(uri, str) or not uri:
            raise self._error(line, f"the image must be a path or a URI, not {uri!r:.80}")
        if name is not None and not isinstance(name, str):
            raise self._error(line, f"the name must be a text, not {name!r:.80}")
        full, default = self._located(base, line, uri)
        given = name or default
        if reason := names.refusal(given):
            raise self._error(line, f"the name {names.shown(given)} {reason}")
        return ImageRef(given, full)

    def _located(self, base: _Base, line: int, uri: str) -> tuple[str, str]:
        """The full URI, and the name if none is given."""
        scheme, separator, _ = uri.partition("://")
        if not separator:
            return self._at_path(base, line, uri)
        if scheme == "s3":
            place = split_s3(uri)
            if place is None or not place[1] or place[1].endswith("/"):
                raise self._error(line, f"{names.shown(uri)} is no object; s3://bucket/key is one")
            if reason := self.allowed.bucket_refusal(uri):
                raise self._error(line, reason)
            return uri, place[1]
        if scheme == "file":
            path = path_of(uri)
            if path is None:
                raise self._error(line, f"{names.shown(uri)} must be file:///absolute/path")
            return self._at_path(base, line, path)
        if is_web(uri):
            return self._on_the_web(line, uri)
        raise self._error(
            line, f"{names.shown(uri)}: write a path, file:///…, s3://bucket/key or https://host/…"
        )

    def _on_the_web(self, line: int, uri: str) -> tuple[str, str]:
        try:
            url = split_web(uri)
        except ValueError as error:
            raise self._error(line, f"this URL {error}") from None
        if reason := web.refusal(url, self.allowed.hosts):
            raise self._error(line, reason)
        return str(url), web.name_of(url)

    def _at_path(self, base: _Base, line: int, path: str) -> tuple[str, str]:
        if "\0" in path or path.endswith("/"):
            raise self._error(line, f"{names.shown(path)} is no path of a file")
        full = os.path.normpath(os.path.join(base.root, path))  # noqa: PTH118 - a Path for each line is slow
        if base.refusal and (reason := base.refusal(full.rpartition("/")[0])):
            raise self._error(line, reason)
        return file_uri(full), names.name_under(base.root, full)

    def _error(self, line: int, reason: str) -> SourceError:
        return SourceError(self.text, reason, line)


@dataclass(frozen=True, slots=True)
class JsonlSource(_ListSource):
    """A JSON object, or just a string, on each line; SageMaker's ``source-ref`` as well."""

    kind: str = "jsonl"

    def _numbered(self) -> Iterator[tuple[int, ImageRef]]:
        base = _Base.of(self)
        loads = orjson.loads
        for number, line in self._lines():
            try:
                item = loads(line)
            except orjson.JSONDecodeError as error:
                if not line.strip():
                    continue
                raise self._error(number, f"is no JSON ({error.msg})") from None
            uri, name = self._fields(number, item)
            yield number, self._ref(base, number, uri, name)

    def _fields(self, line: int, item: Any) -> tuple[object, object]:  # noqa: ANN401 - parsed JSON
        if isinstance(item, str):
            return item, None
        if isinstance(item, dict):
            for field in _URI_FIELDS:
                if field in item:
                    return item[field], item.get("name")
            raise self._error(
                line, f"has none of the fields {', '.join(_URI_FIELDS)}; one must hold the image"
            )
        raise self._error(
            line, f'must be an object or a text, e.g. {{"uri": "a.jpg"}}: {item!r:.80}'
        )


@dataclass(frozen=True, slots=True)
class CsvSource(_ListSource):
    """A table whose first row names the columns; comma, semicolon or tab between them."""

    kind: str = "csv"

    def _numbered(self) -> Iterator[tuple[int, ImageRef]]:
        base = _Base.of(self)
        texts = (text for _, text in self._texts())
        header = next(texts, None)
        if header is None:
            return
        delimiter, columns = self._columns(header)
        image = next(columns.index(field) for field in _URI_FIELDS if field in columns)
        name = columns.index("name") if "name" in columns else None
        for number, row in self._rows(texts, delimiter):
            if len(row) != len(columns):
                raise self._error(
                    number, f"has {len(row)} columns, but the first row names {len(columns)}"
                )
            given = row[name].strip() if name is not None else ""
            yield number, self._ref(base, number, row[image].strip(), given or None)

    def _columns(self, header: str) -> tuple[str, list[str]]:
        for delimiter in ",;\t":
            try:
                names_row = next(csv.reader([header], delimiter=delimiter))
            except csv.Error as error:
                raise self._error(1, f"is no CSV ({error})") from None
            columns = [column.strip().lower() for column in names_row]
            if any(field in columns for field in _URI_FIELDS):
                return delimiter, columns
        raise self._error(
            1,
            "the first row must name the columns, one of them "
            f"{', '.join(_URI_FIELDS[:5])}; it is {header.strip()!r:.80}",
        )

    def _rows(self, texts: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(texts, delimiter=delimiter, strict=True)
        start = 2
        try:
            for row in reader:
                if any(field.strip() for field in row):
                    yield start, row
                start = reader.line_num + 2
        except csv.Error as error:
            raise self._error(start, f"is no CSV ({error})") from None


@dataclass(frozen=True, slots=True)
class TextSource(_ListSource):
    """A path or a URL on each line; blank lines and those that begin with ``#`` are passed over."""

    kind: str = "txt"

    def _numbered(self) -> Iterator[tuple[int, ImageRef]]:
        base = _Base.of(self)
        for number, text in self._texts():
            uri = text.strip()
            if uri and not uri.startswith("#"):
                yield number, self._ref(base, number, uri, None)
