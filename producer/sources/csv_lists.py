"""Manifests of rows: a table whose first row names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from maskpool.domain import ImageRef
from producer.sources.lists import PROMPTS, URI_FIELDS, Base, ListSource


@dataclass(frozen=True, slots=True)
class CsvSource(ListSource):
    """A table whose first row names the columns; comma, semicolon or tab between them."""

    kind: str = "csv"

    def numbered(self) -> Iterator[tuple[int, ImageRef]]:
        """See ``ListSource``."""
        base = Base.of(self)
        texts = (text for _, text in self.texts())
        header = next(texts, None)
        if header is None:
            return
        delimiter, columns = self._columns(header)
        image = next(columns.index(field) for field in URI_FIELDS if field in columns)
        name = columns.index("name") if "name" in columns else None
        prompts = columns.index(PROMPTS) if PROMPTS in columns else None
        for number, row in self._rows(texts, delimiter):
            if len(row) != len(columns):
                raise self.error(
                    number, f"has {len(row)} columns, but the first row names {len(columns)}"
                )
            given = row[name].strip() if name is not None else ""
            uri = self.unpadded(base, number, row[image])
            asks = self._json(number, row[prompts]) if prompts is not None else None
            yield number, self.ref(base, number, uri, given or None, asks)

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
        reader = csv.reader(texts, delimiter=delimiter, strict=True)
        start = 2
        try:
            for row in reader:
                if any(field.strip() for field in row):
                    yield start, row
                start = reader.line_num + 2
        except csv.Error as error:
            raise self.error(start, f"is no CSV ({error})") from None
