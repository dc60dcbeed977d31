"""Text that comes from outside: made fit for a terminal, for a row, and for one line.

On Linux a path is bytes. Where they are not UTF-8, Python keeps each bad byte as a *lone surrogate*
(``os.fsdecode``), which SQLite, psycopg, orjson and terminals refuse.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote

#: Signs that turn the direction of writing: with them a name can look like another one.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"

#: Controls but tab and line feed, line separators, turns of direction, and bad bytes.
_UNSAFE = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}\ud800-\udfff]")
_UNSAFE_IN_LINE = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_BIDI}\ud800-\udfff]")

#: What is no text anywhere: control characters and bad bytes.
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

#: Lone surrogates, of which ``\udc80`` to ``\udcff`` stand for one bad byte each.
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def readable(text: str) -> str:
    r"""Text that any terminal, log and row takes: what is unsafe is escaped as ``\x1b``, ``\xff``.

    Line feeds and tabs stay. Nothing that is printed can move the cursor or change a colour.
    """
    return text if _plain(text) else _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """As ``readable``, for a name or a table's cell: line feeds and tabs are escaped, too."""
    return text if _plain(text) else _UNSAFE_IN_LINE.sub(_escape, text)


def is_storable(text: str) -> bool:
    """Whether ``text`` can be written as UTF-8."""
    return not _SURROGATES.search(text)


def is_one_line(text: str) -> bool:
    """Whether ``text`` is one line without control characters, and can be written as UTF-8."""
    return not _NO_TEXT.search(text)


def storable(path: str) -> str:
    """A path as rows and files keep it for people: unchanged, or percent-encoded where it must be.

    A path with bytes that are not UTF-8 is percent-encoded as a whole, but for ``/``.
    """
    return path if is_storable(path) else quote(os.fsencode(path))


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]


def counted(count: object, one: str, several: str = "") -> str:
    """A whole number of things, such as ``1 image`` or ``2,000 images``.

    Args:
        count: How many.
        one: What follows the number where it is one, e.g. ``image is``.
        several: And else; ``one`` with an ``s`` where it is left out.
    """
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
