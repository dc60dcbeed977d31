"""Writing a file whole or not at all: under a temporary name first, then renamed."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

#: Bytes that a file system takes for one name.
_MAX_NAME = 255


def hidden_beside(path: Path, ending: str) -> Path:
    """A hidden path beside another one, for what is on the way to it: ``.name`` and the ending.

    A name that leaves no room for the ending is replaced by a digest of it.
    """
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) > _MAX_NAME:
        name = f".{sha256(os.fsencode(path.name)).hexdigest()}{ending}"
    return path.with_name(name)


def write_whole(path: Path, data: bytes, *, durable: bool, mode: int = 0o666) -> None:
    """Replace a file at once: a reader sees the old content or the new, never a part of it.

    Args:
        path: The file; its folder must exist.
        data: All of it.
        durable: Wait until the disk has it. What must outlive a power cut needs that; it takes
            milliseconds, so a file that is written every second, or made again, does without.
        mode: Permission bits of the file, less the process's umask.

    Raises:
        OSError: It cannot be written; the old content stays.
    """
    # The thread's id is unique on the machine, so two writers never share a temporary file.
    part = hidden_beside(path, f".{threading.get_native_id()}")
    try:
        with open(part, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder: a renamed file is durable only then."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
