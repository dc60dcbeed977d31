"""The folders that hold the files of a list: few enough to tell workers, and never ``/``."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from heapq import heappop, heappush
from pathlib import Path

from maskpool.errors import SourceError
from maskpool.setting_lists import roots_text

#: Folders that workers are told one by one; of more, common parents.
_MAX_ROOTS = 1_000

#: Bytes of the text that names them: Linux takes 131,072 for one variable of the environment.
_MAX_BYTES = 100_000

#: Folders that are held while a list is read.
_MAX_HELD = 10_000


class NamedFolders:
    """Takes paths of files one by one; its memory does not grow with their number.

    Links are followed as a worker follows them: what is granted is where a file really lies.

    Args:
        text: The list, for errors.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: set[str] = set()
        self._real = lru_cache(_MAX_HELD)(_real_folder)

    def add(self, path: str) -> None:
        """Take the absolute path of a file, which need not exist."""
        if os.path.islink(path):  # noqa: PTH114 - a Path for each line is slow
            path = os.path.realpath(path)
        folder = self._real(path.rpartition("/")[0] or "/")
        if folder == "/":
            # The root folder stands for the whole disk, so a file in it is granted by itself.
            if os.path.isfile(path):  # noqa: PTH113 - as above
                self._hold(os.path.realpath(path))
        elif folder not in self._found:
            self._hold(folder)

    def roots(self) -> tuple[Path, ...]:
        """The folders; where they are too many, some stand for all that are below them.

        Raises:
            SourceError: Only ``/`` would stand for all.
        """
        most = _MAX_ROOTS
        while len(roots_text(folders := self._covered(most))) > _MAX_BYTES:
            most //= 2
        return tuple(map(Path, folders))

    def _hold(self, folder: str) -> None:
        if any(str(parent) in self._found for parent in Path(folder).parents):
            return
        self._found.add(folder)
        if len(self._found) > _MAX_HELD:
            self._found = set(self._covered(_MAX_HELD // 2))

    def _covered(self, most: int) -> list[str]:
        folders = covering(self._found, most)
        if "/" in folders:
            raise SourceError(
                self._text,
                "names files in too many folders that have only / in common; put them below one "
                "folder, or split the list",
            )
        return folders


def covering(folders: Collection[str], most: int) -> list[str]:
    """At most so many folders that hold all of these, sorted; each as deep as that allows.

    The tree is opened from ``/`` downwards, those with the fewest branches first. So a folder with
    thousands of others below it stands for them, and one that lies far from all stays exact.
    """
    branches = _tree(folders)
    kept: list[str] = []
    waiting = [(len(branches["/"]), "/")]
    while waiting:
        count, folder = heappop(waiting)
        if folder in folders or len(kept) + len(waiting) + count > most:
            kept.append(folder)
            continue
        for below in branches[folder]:
            heappush(waiting, (len(branches[below]) if below in branches else 0, below))
    return sorted(kept)


def _tree(folders: Collection[str]) -> defaultdict[str, set[str]]:
    """For each folder on the way from ``/``, the next ones on the way."""
    branches: defaultdict[str, set[str]] = defaultdict(set)
    for named in folders:
        folder = named
        while folder != "/":
            parent = os.path.dirname(folder)  # noqa: PTH120 - a Path for each step is slow
            if folder in branches[parent]:
                break
            branches[parent].add(folder)
            folder = parent
    return branches


def _real_folder(folder: str) -> str:
    """Where a folder really lies; of one that is missing, the next above it.

    A root that is missing looks to a worker like a disk that is not mounted, for which it waits.
    """
    real = os.path.realpath(folder)
    while not os.path.isdir(real):  # noqa: PTH112 - as above
        real = os.path.dirname(real)  # noqa: PTH120 - as above
    return real
