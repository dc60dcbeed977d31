"""Manifests of rows: a table whose first row names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources.grounds import Places
from producer.sources.lists import MAX_LINE_BYTES, PROMPTS, URI_FIELDS, ListSource


class _Columns(NamedTuple):
    """How many columns a table has, and where those are that are read."""

    width: int
    image: int
    name: int | None
    prompts: int | None

    @classmethod
    def of(cls, names_row: list[str]) -> _Columns:
        image = next(names_row.index(field) for field in URI_FIELDS if field in names_row)
        name, prompts = (
            names_row.index(one) if one in names_row else None for one in ("name", PROMPTS)
        )
        return cls(len(names_row), image, name, prompts)


@dataclass(frozen=True, slots=True)
class CsvSource(ListSource):
    """A table whose first row names the columns; comma, semicolon or tab between them."""

    kind: str = "csv"

    def numbered(self) -> Iterator[tuple[int, ImageRef]]:
        """See ``ListSource``."""
        places = self.ground.places()
        texts = (text for _, text in self.texts())
        header = next(texts, None)
        if header is None:
            return
        delimiter, names_row = self._columns(header)
        columns = _Columns.of(names_row)
        for number, row in self._rows(texts, delimiter):
            try:
                ref = self._read(places, number, row, columns)
            except SourceError as error:
                self.on_bad(error)
                continue
            yield number, ref

    def _read(self, places: Places, number: int, row: list[str], columns: _Columns) -> ImageRef:
        if len(row) != columns.width:
            raise self.error(
                number, f"has {len(row)} columns, but the first row names {columns.width}"
            )
        given = "" if columns.name is None else row[columns.name].strip()
        uri = self.unpadded(places, number, row[columns.image])
        asks = None if columns.prompts is None else self._json(number, row[columns.prompts])
        return self.ref(places, number, uri, given or None, asks)

    def may_ask(self) -> bool:
        """See ``ListSource``."""
        header = next((text for _, text in self.texts()), None)
        return header is not None and PROMPTS in self._columns(header)[1]

    def _json(self, line: int, text: str) -> object:
        if not text.strip():
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise self.error(
                line, f"prompts: is no JSON ({error.msg}); quotes within are doubled in CSV"
            ) from None

    def _columns(self, header: str) -> tuple[str, list[str]]:
        for delimiter in ",;\t":
            try:
                names_row = next(csv.reader([header], delimiter=delimiter))
            except csv.Error as error:
                raise self.error(1, f"is no CSV ({error})") from None
            columns = [column.strip().lower() for column in names_row]
            if any(field in columns for field in URI_FIELDS):
                self._refuse_double(columns)
                return delimiter, columns
        raise self.error(
            1,
            "the first row must name the columns, one of them "
            f"{', '.join(URI_FIELDS[:5])}; it is {header.strip()!r:.80}",
        )

    def _refuse_double(self, columns: list[str]) -> None:
        for field in (*URI_FIELDS, "name", PROMPTS):
            if columns.count(field) > 1:
                raise self.error(1, f"names the column {field!r} twice; give one another name")

    def _rows(self, texts: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
        start, held = 2, 0

        def bounded() -> Iterator[str]:
            nonlocal held
            for text in texts:
                held += len(text)
                if held > MAX_LINE_BYTES:  # a quote that is never closed takes in all that follows
                    raise self.error(
                        start,
                        f"is a row of more than {MAX_LINE_BYTES:,} characters; is a quote open?",
                    )
                yield text

        reader = csv.reader(bounded(), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                held = 0
                if any(field.strip() for field in row):
                    yield start, row
                start = reader.line_num + 2
        except csv.Error as error:
            raise self.error(start, f"is no CSV ({error})") from None
