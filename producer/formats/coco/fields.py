"""Entries of a COCO file's lists, whose fields are of exactly the type that COCO gives them.

Nothing is converted: a whole number is no text that looks like one, and no ``true``. Whatever is
refused is named by its table, its id or file name, and its index in the file's list.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from maskpool.errors import SourceError

_SINGULAR = {
    "images": "image",
    "categories": "category",
    "annotations": "annotation",
    "results": "result",
}

#: What people call an entry by where it has that; else, and in other tables, by its id.
_CALLED_BY = {"images": "file_name", "categories": "name"}

_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list, e.g. an annotation.

    Attributes:
        path: The file.
        table: Name of the list: ``images``, ``categories``, ``annotations`` or ``results``.
        index: Its place in the list, from 0.
        values: Its fields, as JSON gave them.
    """

    path: Path
    table: str
    index: int
    values: dict[str, Any]

    @property
    def where(self) -> str:
        """How a sentence calls it, e.g. ``annotation 17 (index 3)``."""
        name = self.values.get(_CALLED_BY.get(self.table, "id"), self.values.get("id"))
        known = f" {_cut(repr(name))}" if type(name) in (int, str) else ""
        return f"{_SINGULAR[self.table]}{known} (index {self.index})"

    def error(self, reason: str) -> SourceError:
        """A refusal that names the file and the entry."""
        return SourceError(str(self.path), f"{self.where}: {reason}")

    def whole(self, key: str) -> int:
        """A field that must hold a whole number.

        Raises:
            SourceError: It is missing or holds something else.
        """
        value = self._required(key)
        if type(value) is not int:
            raise self.error(f"{key} {shown(value)} must be a whole number{_hint(value)}")
        return value

    def text(self, key: str) -> str:
        """A field that must hold a text, not an empty one.

        Raises:
            SourceError: It is missing or holds something else.
        """
        value = self._required(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"{key} {shown(value)} must be a text that is not empty")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.error(f"{key} {shown(value)} holds half of a character") from None
        return value

    def number(self, key: str) -> float | None:
        """A finite number, not below 0; None where the field is missing or null.

        Raises:
            SourceError: It holds something else.
        """
        value = self.values.get(key)
        if value is None:
            return None
        if not is_number(value) or not 0 <= value <= sys.float_info.max:  # false for NaN
            raise self.error(f"{key} {shown(value)} must be a finite number, 0 or more")
        return float(value)

    def _required(self, key: str) -> Any:  # noqa: ANN401 - JSON
        if key not in self.values:
            raise self.error(f"has no {key!r}")
        return self.values[key]


def entries(path: Path, data: dict[str, Any], table: str) -> list[Entry]:
    """The entries of one of the file's lists.

    Raises:
        SourceError: The list is missing, is no list, or holds something else than objects.
    """
    rows = table_of(path, data, table)
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            reason = f"{table!r} must be a list of objects; at index {index} it holds {shown(row)}"
            raise SourceError(str(path), reason)
    return [Entry(path, table, index, row) for index, row in enumerate(rows)]


def table_of(path: Path, data: dict[str, Any], table: str) -> list[Any]:
    """One of the file's lists, whatever it holds.

    Raises:
        SourceError: It is missing, or is no list.
    """
    rows = data.get(table)
    if rows is None:
        raise SourceError(str(path), f"has no {table!r}; a COCO instances file needs it")
    if not isinstance(rows, list):
        raise SourceError(str(path), f"{table!r} must be a list of objects, not {shown(rows)}")
    return rows


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether JSON gave a number; ``true`` and ``false`` are none, though Python counts them so."""
    return type(value) in (int, float)


def is_finite(value: object) -> bool:
    """Whether JSON gave a number that a float can hold; NaN is none."""
    return is_number(value) and abs(value) <= sys.float_info.max


def shown(value: object) -> str:
    """A value as JSON writes it, cut to a length that people read."""
    if isinstance(value, (list, dict)):
        return "(a list)" if isinstance(value, list) else "(an object)"
    return _cut(json.dumps(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def _hint(value: object) -> str:
    """What to write instead, where that is plain."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f", written without a point: {value:.0f}"
    return ", written without quotes" if isinstance(value, str) and value.isdecimal() else ""
