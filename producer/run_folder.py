"""The folder that a run writes into: made ours, and emptied of what the last run wrote there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from maskpool.errors import ConfigError, Conflict
from maskpool.files import write_whole
from producer.local.endpoints import is_held

#: The private stack's home in the folder, and what tells a folder of ours from any other. Not the
#: name of ``maskpool up``'s home: a pool must never be taken for what a run left.
_HOME = ".maskpool-run"

#: In the home: names of the files that the last run wrote.
_WRITTEN = "written.json"

#: With less free disk space, in bytes, nothing can be finished.
_MIN_FREE = 256 * 1024


def home_of(out: Path) -> Path:
    """The home of the private stack of a run into ``out``."""
    return out / _HOME


def prepare(out: Path, *, resume: bool) -> None:
    """Make ``out`` ours, without ever touching what we did not write.

    Args:
        out: The folder; made where it is missing.
        resume: Keep the private stack's rows and objects, so that an interrupted run goes on.

    Raises:
        Conflict: It holds other files, or another run works on it.
    """
    home = home_of(out)
    ours = home.is_dir()
    if out.exists() and not ours and any(out.iterdir()):
        raise Conflict(f"{out} holds other files; give a new or empty folder with -o")
    if is_held(home):
        raise Conflict(f"another run works on {out}; wait for it, or give another folder")
    for path in _written(out) if ours else ():
        path.unlink(missing_ok=True)
    if ours and not resume:
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)


def note_written(out: Path, files: Iterable[Path]) -> None:
    """Note which files the run wrote: the next one into this folder deletes them."""
    names = [str(file.relative_to(out)) for file in files]
    # A note that a power cut loses costs a stale file, so nobody waits for the disk.
    write_whole(home_of(out) / _WRITTEN, json.dumps(names).encode(), durable=False)


def require_room(folder: Path) -> None:
    """Refuse a full disk, which fails every commit again and again, in one sentence.

    Raises:
        ConfigError: There is next to no free space.
    """
    free = shutil.disk_usage(folder).free
    if free < _MIN_FREE:
        raise ConfigError(
            f"no space is left under {folder} ({free:,} bytes); make room, then go on with --resume"
        )


def _written(out: Path) -> list[Path]:
    """The files that the last run into ``out`` wrote, as it noted them."""
    try:
        names = json.loads((home_of(out) / _WRITTEN).read_text())
        return [out / name for name in names]
    except (OSError, ValueError):
        return []  # it did not come that far
