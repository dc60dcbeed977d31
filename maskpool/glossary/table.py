"""A glossary as a CSV file: ``word,kind,english``, as spreadsheets read and write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from maskpool.errors import SourceError
from maskpool.glossary.words import Kind, Word, WordError, Wrong
from maskpool.text import counted

#: Of the first line; ``kind`` may be left out, and is ``noun`` then.
COLUMNS = ("word", "kind", "english")

#: Words of one list, and so of one file.
MAX_WORDS = 20_000

#: Bytes of a file.
MAX_BYTES = 4 * 1024 * 1024

#: Refused lines that are named in a sentence, and that are kept for a list of them.
_MAX_NAMED, MAX_KEPT = 5, 100


class FileWrong(StrEnum):
    """Why a file is refused."""

    BYTES = "bytes"
    ENCODING = "encoding"
    NO_CSV = "no_csv"
    HEAD = "head"
    WORDS = "words"
    NO_WORD = "no_word"
    #: Some of its lines are.
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """One line that is refused.

    Attributes:
        line: Counted from 1.
        field: Of the word; empty where it is about the line.
        why: For programs.
        reason: For people.
    """

    line: int
    field: str
    why: Wrong
    reason: str

    def __str__(self) -> str:
        """The reason and what it is about."""
        return f"{self.field}: {self.reason}" if self.field else self.reason


class FileError(SourceError):
    """A file of words is refused, all of it.

    Args:
        source: Its name.
        why: For programs.
        reason: For people.
        line: The first line that is meant.
        lines: The first hundred that are refused, where it is about lines.
        count: How many are.
    """

    def __init__(
        self,
        source: str,
        why: FileWrong,
        reason: str,
        line: int | None = None,
        *,
        lines: tuple[RefusedLine, ...] = (),
        count: int = 0,
    ) -> None:
        super().__init__(source, reason, line)
        self.why = why
        self.lines = lines
        self.count = count


def decoded(content: bytes, source: str) -> str:
    """The text of a file.

    Args:
        content: Of it, at most one byte more than ``MAX_BYTES``.
        source: Its name, for refusals.

    Raises:
        FileError: It is too long, or no UTF-8.
    """
    if len(content) > MAX_BYTES:
        reason = f"has more than {MAX_BYTES:,} bytes; divide it"
        raise FileError(source, FileWrong.BYTES, reason)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        reason = "is not UTF-8; in Excel, save it as 'CSV UTF-8'"
        raise FileError(source, FileWrong.ENCODING, reason, line) from None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a file.

    Attributes:
        words: Those of the lines that may be taken in.
        refused: The other lines, all of them.
    """

    words: list[Word]
    refused: list[RefusedLine]


def read(text: str, source: str) -> list[Word]:
    """The words of a file, all or none of them.

    Args:
        text: Its content; a byte order mark, as Excel writes it, is passed over.
        source: Its name, for refusals.

    Raises:
        FileError: Names the lines that are refused.
    """
    found = looked(text, source)
    if found.refused:
        raise _refusal(source, found.refused)
    return found.words


def looked(text: str, source: str) -> Looked:
    """As ``read``, with refused lines beside the others.

    Raises:
        FileError: It cannot be read to its end, or has neither a word nor a refused line.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    words: dict[tuple[Kind, str], Word] = {}
    refused: list[RefusedLine] = []
    count = 0
    try:
        names = _head(next(reader, []), source)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            count += 1
            if count > MAX_WORDS:
                reason = f"has more than {MAX_WORDS:,} lines with words, which are allowed"
                raise FileError(source, FileWrong.WORDS, reason, reader.line_num)
            wrong = _take(names, cells, reader.line_num, words)
            if wrong is not None:
                refused.append(wrong)
    except csv.Error as error:
        reason = f"is no CSV: {error}"
        raise FileError(source, FileWrong.NO_CSV, reason, reader.line_num) from None
    if not (words or refused):
        reason = f"holds no word; write a line for each below {_HEAD}"
        raise FileError(source, FileWrong.NO_WORD, reason)
    return Looked(list(words.values()), refused)


_HEAD = ",".join(COLUMNS)


def _head(cells: list[str], source: str) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if not {"word", "english"} <= set(names) <= set(COLUMNS) or len(set(names)) != len(names):
        reason = f"begins with {','.join(cells)[:80]!r}; begin it with {_HEAD}"
        raise FileError(source, FileWrong.HEAD, reason, 1)
    return names


def _take(
    names: list[str], cells: list[str], line: int, words: dict[tuple[Kind, str], Word]
) -> RefusedLine | None:
    """Take the word of a line, or say why not."""
    if len(cells) > len(names):
        reason = "it has more cells than the first line; put a text with a comma in double quotes"
        return RefusedLine(line, "", Wrong.CELLS, reason)
    try:
        word = _word(names, cells)
    except WordError as error:
        return RefusedLine(line, error.field, error.why, error.reason)
    earlier = words.setdefault((word.kind, word.key), word)
    if earlier.english == word.english:
        return None
    both = f"{earlier.english!r} and {word.english!r}"
    reason = f"{word.word!r} is sent as {both}; keep one of them"
    return RefusedLine(line, "word", Wrong.TWICE, reason)


def _word(names: list[str], row: list[str]) -> Word:
    cells = dict(zip(names, row, strict=False))
    kind = cells.get("kind", "").strip() or Kind.NOUN
    return Word.checked(cells.get("word", ""), kind, cells.get("english", ""))


def _refusal(source: str, refused: list[RefusedLine]) -> FileError:
    first, *others = refused
    named = "".join(f"; line {one.line}: {one}" for one in others[: _MAX_NAMED - 1])
    more = len(refused) - _MAX_NAMED
    rest = f"; and {counted(more, 'more line')}" if more > 0 else ""
    return FileError(
        source,
        FileWrong.LINES,
        f"{first}{named}{rest}; nothing was taken in",
        first.line,
        lines=tuple(refused[:MAX_KEPT]),
        count=len(refused),
    )


def write(words: Iterable[Word]) -> str:
    """A file of words; no cell of it is a formula, as no word that is kept begins like one."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((word.word, word.kind.value, word.english) for word in words)
    return file.getvalue()
