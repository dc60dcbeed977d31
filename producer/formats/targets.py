"""Where a dataset goes: links, what can be written at all, and folders that appear at once."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from maskpool.errors import ConfigError, Conflict, NotFound
from maskpool.files import sync_folder
from producer import marks

#: In each folder that an export wrote: only such a folder is ever replaced.


def resolved(target: Path) -> Path:
    """Where a target really is: of a link what it points to is replaced, and not the link.

    Args:
        target: As a user wrote it; what it points to need not exist.

    Raises:
        NotFound: There is no folder to write it in.
        ConfigError: It is a device or a socket, which a rename would replace by a file, or is
            write-protected; or links lead round in a circle.
    """
    mode = mode_of(target)
    if stat.S_ISFIFO(mode):
        return target  # /dev/stdout and /dev/fd/3 are links that only the kernel can follow
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ConfigError(
            f"{target} is a device or a socket; name a file, or - for standard output"
        )
    if is_protected(mode):
        raise ConfigError(f"{target} is write-protected; name another file")
    try:
        place = target.resolve()
    except RuntimeError:
        raise ConfigError(f"the link {target} leads round in a circle; name a file") from None
    if not place.parent.is_dir():
        raise NotFound(f"there is no folder {place.parent} to write {place.name} in")
    return place


def mode_of(path: Path) -> int:
    """Type and permission bits of what is there, links followed; 0 where nothing is."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def is_protected(mode: int) -> bool:
    """Whether nobody may write a file of this mode: a rename would replace it all the same."""
    return stat.S_ISREG(mode) and not mode & 0o222


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
        if not (target / marks.EXPORT).exists() and any(target.iterdir()):
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
    (whole / marks.EXPORT).write_text("maskpool export replaces this folder, and no other\n")
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
