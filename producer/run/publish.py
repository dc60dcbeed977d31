"""A run's results: made aside, and put into the user's folder all at once when they are whole.

A journal names every file before the first one is moved. A process that dies on the way leaves it
behind, and the next run into the folder completes what it says.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import orjson
from pydantic import BaseModel, ValidationError

from maskpool import failpoints
from maskpool.errors import Conflict, Option
from maskpool.files import hidden_beside, sync_folder, write_whole
from producer.formats.targets import is_protected, mode_of, remove_tree

#: The dataset among the results, and the only one that people edit.
DATASET = "coco.json"

#: In a home: results while they are made, what is to be moved, and what was.
_RESULTS, _JOURNAL, _WRITTEN = "results", "moves.json", "written.json"


class Written(BaseModel):
    """What a run wrote into the folder: the next one replaces or deletes it, and nothing else.

    Attributes:
        files: Their paths under the folder.
        dataset: SHA-256 of the dataset; None where it is not known.
    """

    files: tuple[str, ...] = ()
    dataset: str | None = None


class _Journal(BaseModel):
    """What is being moved: the new files, and those of the last run."""

    new: Written
    old: tuple[str, ...]


def folder(home: Path) -> Path:
    """Where the results of the run with this home are made."""
    return home / _RESULTS


def is_finished(home: Path) -> bool:
    """Whether the results of the run with this home were put in their place."""
    return (home / _WRITTEN).exists()


def publish(out: Path, home: Path, before: Path) -> None:
    """Put the results into ``out``, in place of those that the last run wrote.

    Args:
        out: The user's folder.
        home: Of this run; has the results.
        before: Home of the run that finished last, if that is another one.

    Raises:
        Conflict: A file that we did not write is in the way; nothing was moved.
    """
    results = folder(home)
    last = _written(before if before.is_dir() else home)
    files = sorted(_files(results))
    _require_free(out, files, last)
    new = Written(files=tuple(files), dataset=_digest(results / DATASET))
    journal = _Journal(new=new, old=last.files)
    # One wait for all: the results must be on the disk before the old ones are replaced by them.
    os.sync()
    failpoints.reach("run.made")
    write_whole(home / _JOURNAL, journal.model_dump_json().encode(), durable=True)
    failpoints.reach("run.noted")
    complete(out, home, before)


def complete(out: Path, home: Path, before: Path) -> None:
    """Move what a journal says, if there is one; what was moved already stays.

    Raises:
        Conflict: A file that we did not write is in the way.
    """
    try:
        journal = _Journal.model_validate_json((home / _JOURNAL).read_bytes())
    except FileNotFoundError:
        return
    waiting = [name for name in journal.new.files if (folder(home) / name).exists()]
    _require_free(out, waiting, Written(files=journal.old))
    for name in waiting:
        _put(folder(home) / name, out / name)
        failpoints.reach("run.moving")
    for name in set(journal.old) - set(journal.new.files):
        _remove(out, name)
    sync_folder(out)
    write_whole(home / _WRITTEN, journal.new.model_dump_json().encode(), durable=True)
    failpoints.reach("run.moved")
    remove_tree(before)
    remove_tree(folder(home))
    (home / _JOURNAL).unlink()


def require_ours(out: Path, home: Path) -> None:
    """Refuse to work for results that could not be put in their place.

    Args:
        out: The user's folder.
        home: Of the run that finished last, or of one that has not finished.

    Raises:
        Conflict: A file of the user's has the name of a result, or the dataset was edited.
    """
    last = _written(home)
    _require_free(out, (DATASET, "index.html", "summary.json"), last)
    overlays = out / "overlays"
    if os.path.lexists(overlays) and not overlays.is_dir():
        raise _in_the_way(overlays)


def _require_free(out: Path, names: Iterable[str], last: Written) -> None:
    ours = set(last.files)
    for name in names:
        path = out / name
        if os.path.lexists(path) and (name not in ours or path.is_symlink() or path.is_dir()):
            raise _in_the_way(path)
        if is_protected(mode_of(path)):
            raise Conflict(f"{path} is write-protected; move it away, or give another folder")
    dataset = out / DATASET
    if last.dataset and dataset.is_file() and _digest(dataset) != last.dataset:
        raise Conflict(
            f"{dataset} was edited since a run wrote it; move it away, or give another folder"
        )


def _in_the_way(path: Path) -> Conflict:
    return Conflict(
        f"{path} is in the way and no run wrote it; move it away and resume the run, or give "
        "another folder",
        option=Option.RESUME,
    )


def _written(home: Path) -> Written:
    """What the run with this home wrote; nothing where it did not come that far."""
    try:
        content = (home / _WRITTEN).read_bytes()
    except OSError:
        return Written()
    try:
        return Written.model_validate_json(content)
    except ValidationError:  # earlier versions wrote a plain list
        return Written(files=tuple(orjson.loads(content)))


def _files(results: Path) -> list[str]:
    return [str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()]


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(made: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(made, place)  # a folder of results may be a link to another disk


def _copy(made: Path, place: Path) -> None:
    part = hidden_beside(place, ".part")
    with made.open("rb") as source, part.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())  # the only other copy goes now
    part.replace(place)
    made.unlink()


def _remove(out: Path, name: str) -> None:
    """Delete a file of the last run, and the folders that are empty then."""
    path = out / name
    path.unlink(missing_ok=True)
    with suppress(OSError):  # the user has files of their own there
        for parent in path.relative_to(out).parents[:-1]:
            (out / parent).rmdir()
