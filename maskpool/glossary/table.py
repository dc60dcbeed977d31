"""A glossary as a CSV file: ``word,kind,english``, as spreadsheets read and write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from maskpool.errors import SourceError, SpecError
from maskpool.glossary.words import Kind, Word
from maskpool.text import counted

#: Of the first line; ``kind`` may be left out, and is ``noun`` then.
COLUMNS = ("word", "kind", "english")

#: Words of one list, and so of one file.
MAX_WORDS = 20_000

#: Refused lines that are named.
_MAX_NAMED = 5


def read(text: str, source: str) -> list[Word]:
    """The words of a file, all or none of them.

    Args:
        text: Its content; a byte order mark, as Excel writes it, is passed over.
        source: Its name, for refusals.

    Raises:
        SourceError: Names the lines that are refused.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    words: dict[tuple[Kind, str], Word] = {}
    refused: list[tuple[int, str]] = []
    try:
        names = _head(next(reader, []), source)
        for cells in reader:
            line = reader.line_num
            if any(cell.strip() for cell in cells):
                _take(names, cells, line, words, refused)
    except csv.Error as error:
        raise SourceError(source, f"is no CSV: {error}", reader.line_num) from None
    if len(words) > MAX_WORDS:
        raise SourceError(source, f"has {len(words):,} words; {MAX_WORDS:,} are allowed")
    if refused:
        raise _refusal(source, refused)
    if not words:
        raise SourceError(source, f"holds no word; write a line for each below {_HEAD}")
    return list(words.values())


_HEAD = ",".join(COLUMNS)


def _head(cells: list[str], source: str) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if not {"word", "english"} <= set(names) <= set(COLUMNS) or len(set(names)) != len(names):
        raise SourceError(source, f"begins with {','.join(cells)[:80]!r}; begin it with {_HEAD}", 1)
    return names


def _take(
    names: list[str],
    cells: list[str],
    line: int,
    words: dict[tuple[Kind, str], Word],
    refused: list[tuple[int, str]],
) -> None:
    if len(cells) > len(names):
        reason = "it has more cells than the first line; put a text with a comma in double quotes"
        refused.append((line, reason))
        return
    try:
        word = _word(names, cells)
    except SpecError as error:
        refused.append((line, str(error)))
        return
    earlier = words.setdefault((word.kind, word.key), word)
    if earlier.english != word.english:
        both = f"{earlier.english!r} and {word.english!r}"
        refused.append((line, f"word: {word.word!r} is sent as {both}; keep one of them"))


def _word(names: list[str], row: list[str]) -> Word:
    cells = dict(zip(names, row, strict=False))
    kind = cells.get("kind", "").strip() or Kind.NOUN
    return Word.checked(cells.get("word", ""), kind, cells.get("english", ""))


def _refusal(source: str, refused: list[tuple[int, str]]) -> SourceError:
    (first, why), *others = refused
    named = "".join(f"; line {line}: {reason}" for line, reason in others[: _MAX_NAMED - 1])
    more = len(refused) - _MAX_NAMED
    rest = f"; and {counted(more, 'more line')}" if more > 0 else ""
    sentence = f"{why}{named}{rest}; nothing was taken in"
    return SourceError(source, sentence, first, count=len(refused))


def write(words: Iterable[Word]) -> str:
    """A file of words; no cell of it is a formula, as no word that is kept begins like one."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((word.word, word.kind.value, word.english) for word in words)
    return file.getvalue()
