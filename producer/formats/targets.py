"""A dataset that is a folder: other files are never touched, and it appears at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from maskpool.errors import ConfigError, Conflict
from maskpool.files import sync_folder

#: In each folder that an export wrote: only such a folder is ever replaced.
MARKER = ".maskpool-export"


def require_free(target: Path) -> None:
    """Refuse a folder target that is a file, or that holds what no export of ours wrote.

    Call it before the first image is read: hours of work may follow.

    Args:
        target: A folder to write; one that is missing, empty or an older export is free.

    Raises:
        ConfigError: It is a file, or has no name of its own, as ``.`` and ``/`` have none.
        Conflict: It holds other files.
    """
    if target.name in ("", ".."):
        raise ConfigError(f"{target} cannot be replaced by an export; name a new folder")
    if target.is_dir():
        if not (target / MARKER).exists() and any(target.iterdir()):
            raise Conflict(f"{target} holds other files; give a new or empty folder")
    elif target.exists():
        raise ConfigError(f"{target} is a file; this format writes a folder, name a new one")


def put_in_place(whole: Path, target: Path, aside: Path) -> None:
    """Rename a folder that is complete to ``target``, which holds the old export until then.

    Args:
        whole: The new folder, on the same file system.
        target: Its place.
        aside: Where an older export goes; the caller deletes it. A process that dies between the
            two renames leaves it there, for ``bring_back``.

    Raises:
        ConfigError, Conflict: ``target`` is not free; see ``require_free``.
    """
    (whole / MARKER).write_text("maskpool export replaces this folder, and no other\n")
    # One wait for all: a dataset has a file an image, and a wait for each would take an hour.
    os.sync()
    require_free(target)
    if target.exists():
        remove_tree(aside)
        target.rename(aside)
    whole.rename(target)
    sync_folder(target.absolute().parent)


def bring_back(aside: Path, target: Path) -> None:
    """Put an older export back in its place, if a process died after it had been moved aside."""
    if aside.is_dir() and not target.exists():
        aside.rename(target)


def remove_tree(path: Path) -> None:
    """Delete a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
