"""Label files below a folder, and small files read whole."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from maskpool.errors import SourceError

#: Endings of label files.
ENDINGS = (".xml", ".json", ".txt")

#: Bytes of a line: a polygon with ten thousand corners has fewer.
_MAX_LINE = 1024 * 1024

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def label_files(folder: Path) -> dict[str, list[str]]:
    """Paths below a folder by their ending in lower case, sorted; hidden ones are passed over.

    A linked folder is entered, but each folder once only.

    Raises:
        SourceError: A folder cannot be read.
    """
    found: dict[str, list[str]] = {ending: [] for ending in ENDINGS}
    entered: set[str] = set()
    for base, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(base)
        if real in entered:  # by a link that leads back
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 - no Path for each file
            if ending in found and not name.startswith("."):
                found[ending].append(os.path.relpath(os.path.join(base, name), folder))  # noqa: PTH118 - as above
    return found


def small_file(path: Path, limit: int) -> bytes:
    """A file's bytes.

    Raises:
        SourceError: It cannot be read, is no file, or has more than ``limit`` bytes.
    """
    with _opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SourceError(str(path), f"has more than {limit:,} bytes; no tool writes so many")
    return data


def text_of(path: Path, limit: int) -> str:
    """A text file in UTF-8, without a byte order mark.

    Raises:
        SourceError: It cannot be read, is too large, or has another encoding.
    """
    data = small_file(path, limit)
    return "".join(
        _decoded(path, number, line)
        for number, line in enumerate(data.splitlines(keepends=True), 1)
    )


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a text file that are not empty, with their numbers from 1; holds one at a time.

    Raises:
        SourceError: The file cannot be read, is not in UTF-8, or a line is too long.
    """
    with _opened(path) as file:
        for number, line in enumerate(iter(partial(file.readline, _MAX_LINE), b""), 1):
            if len(line) == _MAX_LINE:
                raise SourceError(str(path), f"is longer than {_MAX_LINE:,} bytes", number)
            if text := _decoded(path, number, line).strip():
                yield number, text


def require_file(path: Path) -> None:
    """Refuse what is no file: opening a pipe would wait for whoever fills it.

    Raises:
        SourceError: It is none.
    """
    if not path.is_file():
        raise SourceError(str(path), "is no file" if path.exists() else "is not there")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read; what goes wrong meanwhile is a sentence."""
    try:
        require_file(path)
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error.strerror or error}") from None


def _decoded(path: Path, number: int, line: bytes) -> str:
    if number == 1 and line.startswith(_UTF16):
        raise SourceError(str(path), "is UTF-16; save it as UTF-8")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise SourceError(str(path), "is not UTF-8; save it as UTF-8", number) from None


def _refuse(error: OSError) -> None:
    raise SourceError(str(error.filename), f"cannot be read: {error.strerror}") from None
