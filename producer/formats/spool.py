"""A dataset for a pipe: written into a temporary file first, and copied when it is complete.

A format writes parts and joins them at the end, which a pipe cannot take. Its reader gets the whole
dataset or, if something goes wrong before, nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

#: Takes sentences for the user.
Say = Callable[[str], None]


@contextmanager
def spooled(target: Path, stream: BinaryIO | None, say: Say) -> Iterator[tuple[Path, Say]]:
    """Where a format writes, and who is told how far it is.

    Args:
        target: The file or folder; used as it is, unless it is a named pipe.
        stream: Gets the dataset instead of ``target``, where there is one.
        say: Used as it is, unless the dataset goes to a pipe: that cannot be resumed, so nothing is
            said about it.

    Raises:
        OSError: The pipe's reader went away, or there is no room in the folder for temporary files.
    """
    if stream is None and not target.is_fifo():
        yield target, say
        return
    with tempfile.TemporaryDirectory(prefix="maskpool-export-") as folder:
        whole = Path(folder) / target.name
        yield whole, lambda _: None
        if stream is not None:
            _copy(whole, stream)
        else:
            with target.open("wb") as pipe:
                _copy(whole, pipe)


def _copy(whole: Path, to: BinaryIO) -> None:
    with whole.open("rb") as file:
        shutil.copyfileobj(file, to, 1 << 20)
    to.flush()
