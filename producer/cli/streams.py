"""Standard output and error that can neither break a verb's work nor end it with the wrong code.

The other end of a pipe may go away (``maskpool ls | head -1``), a disk may be full, a stream may be
closed (``>&-``), and a terminal may know ASCII only. A verb that reads stops then, since nobody
listens. One that works goes on: ``run`` finishes what it began, and keeps its own code.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
from contextlib import suppress

from maskpool import exits
from maskpool.text import one_line

#: Our own signs and what stands for each on a terminal that lacks it; one cell for one.
_STAND_INS = str.maketrans("–—·×≥…━╸╺✓“”‘’", "--.x>~---v\"\"''")

_ERRORS = "maskpool-stand-in"


class OutputClosed(Exception):
    """Nobody reads standard output any more; of a verb that only reads, this is the end.

    It is no ``OSError``: Typer and Rich turn a broken pipe into an exit code of their own.
    """


class _Output(io.FileIO):
    """Standard output, which remembers that it failed and is silent from then on.

    Attributes:
        failure: What went wrong at first.
        works: Whether the verb goes on without a reader.
    """

    def __init__(self, *, closed: bool) -> None:
        super().__init__(1, "wb", closefd=False)
        self.failure = OSError(errno.EPIPE, "it is closed") if closed else None
        self.works = False
        self._silent = False

    def write(self, data: object) -> int:
        """Write, or pretend to; see the class."""
        try:
            if self.failure is None:
                return self._write(data)
        except OSError as error:
            self.failure = error
        if not self.works and not self._silent:
            self._silent = True  # what is left in buffers goes nowhere, without a word
            raise OutputClosed from self.failure
        return memoryview(data).nbytes  # type: ignore[arg-type]

    def _write(self, data: object) -> int:
        while (written := super().write(data)) is None:  # type: ignore[arg-type]
            select.select([], [self], [])  # a pipe that its other end made non-blocking
        return written


class _Errors(io.FileIO):
    """Standard error: a sentence that cannot be written is lost, and nothing else."""

    def __init__(self) -> None:
        super().__init__(2, "wb", closefd=False)

    def write(self, data: object) -> int:
        """Write, or pretend to."""
        try:
            written: int | None = super().write(data)  # type: ignore[arg-type]
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written  # type: ignore[arg-type]


_output: _Output | None = None


def take_over() -> None:
    """Have ``sys.stdout`` and ``sys.stderr`` behave as this module says; once, at the beginning."""
    global _output  # noqa: PLW0603 - there is one standard output
    closed = [fd for fd in (0, 1, 2) if not _is_open(fd)]
    for _ in closed:
        # Else the next file that is opened, the database for one, would get what is printed.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    codecs.register_error(_ERRORS, _stand_in)
    _output = _Output(closed=1 in closed)
    output = io.BufferedWriter(_output)
    sys.stdout = io.TextIOWrapper(
        output, _encoding(_output, sys.stdout), _ERRORS, line_buffering=_output.isatty()
    )
    errors = _Errors()
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(errors), _encoding(errors, sys.stderr), _ERRORS, write_through=True
    )


def go_on_without_reader() -> None:
    """Go on without a reader from now on: there is work to finish."""
    if _output is not None:
        _output.works = True


def conclude(status: int) -> int:
    """The exit code of the process, once all of its output is out, or nobody wants it.

    Args:
        status: What the verb itself ends with.
    """
    if _output is None:
        return status
    with suppress(OutputClosed):
        sys.stdout.flush()
    failure = _output.failure
    if failure is None or status not in {exits.OK, exits.SOME_FAILED}:
        return status
    if failure.errno == errno.EPIPE:
        return status if _output.works else exits.OUTPUT_CLOSED
    sys.stderr.write(f"maskpool: standard output: {(failure.strerror or 'failed').lower()}\n")
    return status or exits.BAD_INPUT


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _encoding(raw: io.FileIO, before: object) -> str:
    """The terminal's own, or the one that was asked for; all else is a file, and UTF-8."""
    asked = raw.isatty() or os.environ.get("PYTHONIOENCODING")
    return (getattr(before, "encoding", None) if asked else None) or "utf-8"


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = one_line(error.object[error.start : error.end]).translate(_STAND_INS)
    return text.encode("ascii", "replace").decode(), error.end
