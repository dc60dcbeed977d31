"""A JSON file → what it holds, or a sentence, within the memory that is free.

The standard library's parser is used on purpose: it can report a name that an object holds twice,
and a lack of memory. Faster parsers pass over the one and may crash of the other.
"""

from __future__ import annotations

import codecs
import json
import os
import stat
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from maskpool.errors import SourceError

#: Bytes of memory that one byte of a file takes while it is read, its masks included; measured on
#: polygons of short whole numbers, the densest files that tools write.
_MEMORY_PER_BYTE = 12

#: Bytes of one read.
_PIECE = 1024 * 1024

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Repeated(ValueError):
    """An object holds two values of one name."""


def load(path: Path, without: Collection[str] = (), memory_per_byte: int | None = None) -> Any:  # noqa: ANN401 - JSON
    """Read a JSON file; a byte order mark of UTF-8 is passed over.

    ``NaN`` and ``Infinity`` are read as the numbers they mean, so that whoever checks the numbers
    can name the place.

    Args:
        path: The file.
        without: Names of fields that nobody asks for, such as masks: they are dropped from each
            object as soon as it is read, and so take no memory.
        memory_per_byte: Bytes of memory that one byte of the file takes then; those of a file with
            its masks where it is None.

    Raises:
        SourceError: It cannot be read, is no JSON, or would take more memory than is free.
        MemoryError: Memory ran out all the same.
    """
    try:
        return json.loads(
            _text(path, memory_per_byte or _MEMORY_PER_BYTE),
            object_pairs_hook=partial(_object, without=without),
        )
    except json.JSONDecodeError as error:
        raise SourceError(str(path), f"is not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise SourceError(str(path), "is nested too deeply") from None
    except _Repeated as error:
        raise SourceError(str(path), str(error)) from None
    except ValueError:  # Python's own limit for whole numbers
        reason = "holds a whole number with thousands of digits"
        raise SourceError(str(path), reason) from None


def _object(pairs: list[tuple[str, Any]], without: Collection[str]) -> dict[str, Any]:
    """An object whose names differ: of two values of one name, the first would be lost."""
    read = dict(pairs)
    if len(read) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        at = f" with id {read['id']!r:.40}" if "id" in read else ""
        msg = f"an object{at} holds {twice!r:.80} twice; keep one of the two"
        raise _Repeated(msg)
    for name in without:
        read.pop(name, None)
    return read


def _text(path: Path, memory_per_byte: int) -> str:
    data = _bytes(path, memory_per_byte)
    if data.startswith(_UTF16) or b"\0" in data[:2]:
        raise SourceError(str(path), "is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(str(path), "is not UTF-8; save it as UTF-8", line) from None


def _bytes(path: Path, memory_per_byte: int) -> bytearray:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise SourceError(str(path), "is no file; give a JSON file")
            limit = _free_memory() // memory_per_byte
            _require_room(path, status.st_size, limit)  # a pipe says 0 here
            data = bytearray()
            while piece := file.read(_PIECE):
                data += piece
                _require_room(path, len(data), limit)
            return data
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise SourceError(repr(str(path)), "is no path of a file") from None


def _require_room(path: Path, size: int, limit: int) -> None:
    if size > limit:
        reason = (
            f"has more than {limit:,} bytes, and reading it would take more memory than this "
            "machine has free; split it by images"
        )
        raise SourceError(str(path), reason)


def _free_memory() -> int:
    """Bytes of memory that may be used: of the machine, and of the container around us."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *_kernel_says()])


def _kernel_says() -> list[int]:
    """What Linux says of free memory and of a container's limit; nothing elsewhere."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(one.split()[1]) * 1024 for one in lines if one.startswith("MemAvailable:")]
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # another system, or no limit: the file says "max"
        pass
    return found
