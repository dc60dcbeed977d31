"""Tables that fit their terminal: columns that matter least go first, long names lose their middle.

Off a terminal a table is 80 cells wide, or ``$COLUMNS``. With ``--wide`` everything is shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from maskpool.text import one_line

#: Cells between two columns.
_GAP = 2

#: Characters of an id that a table shows: its end, where a UUIDv7 has 32 random bits. Whatever
#: takes a batch takes them, and refuses them where they mean two.
SHORT_ID = 8


#: A longer word in a sentence is broken where there is little room.
_MAX_WORD = 40


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: Its header, which is never broken.
        drop: Columns with the highest go first where there is no room; 0 stays.
        right: Set right, as numbers are.
        least: Cells to which a longer text may be shortened; 0: it is shown whole.
        wraps: Sentences, which go on in the next line instead of being shortened.
    """

    title: str
    drop: int = 0
    right: bool = False
    least: int = 0
    wraps: bool = False


def number(title: str, drop: int = 0) -> Column:
    """A column of numbers."""
    return Column(title, drop, right=True)


def sentence(title: str) -> Column:
    """A column of sentences."""
    return Column(title, least=16, wraps=True)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[object]], width: int | None
) -> tuple[Table, int]:
    """A table, and how wide it is.

    Args:
        columns: From left to right.
        rows: A value for each column.
        width: Cells that there are; None shows everything whole, ids too.
    """
    texts = [[_cell(value, whole=width is None) for value in row] for row in rows]
    wanted = [
        max([cell_len(column.title), *(cell_len(row[index].plain) for row in texts)])
        for index, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    if width is not None:
        wanted = [min(one, width) for one in wanted]
        least = [
            _least(column, [row[index].plain for row in texts], wanted[index])
            for index, column in enumerate(columns)
        ]
        shown = _choose(columns, least, width)
        _shrink(wanted, least, shown, width)
    made = Table(header_style="bold", box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for index in shown:
        column = columns[index]
        made.add_column(
            Text(shorten(column.title, wanted[index])),
            justify="right" if column.right else "left",
            width=wanted[index],
            overflow="fold",
            no_wrap=not column.wraps,
        )
    for row in texts:
        made.add_row(*(_fitting(row[index], columns[index], wanted[index]) for index in shown))
    return made, _total(wanted, shown)


def shorten(text: str, width: int) -> str:
    """A text in at most ``width`` cells; its middle gives way, as names differ at their ends."""
    if cell_len(text) <= width:
        return text
    room = max(width - 1, 0)
    head = _first(text, room - room // 2)
    tail = _first(text[::-1], room // 2)[::-1]
    while tail and unicodedata.combining(tail[0]):
        tail = tail[1:]  # it would stand over the dots
    return f"{head}…{tail}" if width else ""


def _first(text: str, width: int) -> str:
    """The beginning that fits into ``width`` cells."""
    used = end = 0
    for character in text:
        used += cell_len(character)
        if used > width:
            break
        end += 1
    return text[:end]


def _cell(value: object, *, whole: bool) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, UUID) and not whole:
        return Text(value.hex[-SHORT_ID:])
    return Text("" if value is None else one_line(str(value)))


def _fitting(text: Text, column: Column, width: int) -> Text:
    if column.wraps or cell_len(text.plain) <= width:
        return text
    return Text(shorten(text.plain, width), text.style)


def _least(column: Column, texts: Sequence[str], wanted: int) -> int:
    """Cells below which a column is of little use."""
    least = column.least
    if column.wraps:  # a path in a sentence should not be broken
        words = max((cell_len(word) for text in texts for word in text.split()), default=0)
        least = max(least, min(words, _MAX_WORD))
    return max(cell_len(column.title), min(wanted, least)) if least else wanted


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + _GAP * (len(shown) - 1)


def _choose(columns: Sequence[Column], least: Sequence[int], width: int) -> list[int]:
    """The columns that fit, at their least, in their order."""
    shown = list(range(len(columns)))
    while _total(least, shown) > width:
        goes = max(shown, key=lambda index: columns[index].drop)
        if columns[goes].drop == 0:
            break
        shown.remove(goes)
    return shown


def _shrink(wanted: list[int], least: Sequence[int], shown: Sequence[int], width: int) -> None:
    """Take from the widest that may give until all fit; at last from any."""
    for floor in (least, [1] * len(least)):
        while _total(wanted, shown) > width:
            giving = [index for index in shown if wanted[index] > floor[index]]
            if not giving:
                break
            wanted[max(giving, key=wanted.__getitem__)] -= 1
