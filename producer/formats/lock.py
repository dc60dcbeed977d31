"""One export at a time to one target: a lock on the folder of its parts."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from maskpool.errors import Conflict

#: The file in the folder that is locked.
LOCK = "lock"


def locked(folder: Path, target: Path) -> BinaryIO:
    """Make a folder, and lock it for this process until the file that is returned is closed.

    Args:
        folder: Of the parts.
        target: What is exported, for the sentence.

    Raises:
        Conflict: Another process has locked it.
    """
    while True:
        folder.mkdir(exist_ok=True)
        # Another process that finishes just now deletes folder and lock: then try again.
        with suppress(FileNotFoundError):
            lock = _lock(folder / LOCK, target)
            if lock is not None:
                return lock


def _lock(path: Path, target: Path) -> BinaryIO | None:
    with ExitStack() as failing:
        lock = failing.enter_context(path.open("wb"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"another export is writing {target}; wait for it, or write to another place"
            ) from None
        if path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
            return None
        failing.pop_all()
        return lock
