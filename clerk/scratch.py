"""Folders on this machine's disk for one task each; those of a clerk that died are cleared away."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "maskpool-clerk-"

#: Held by whoever uses the folder; the kernel lets go of it when that process dies.
_LOCK = "lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder below TMPDIR, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            inside = folder / "work"
            inside.mkdir()
            yield inside
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_dead() -> None:
    """Delete the folders of clerks that died."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # in use, gone meanwhile, or another user's
            _clear_if_free(folder)


def _clear_if_free(folder: Path) -> None:
    with (folder / _LOCK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
