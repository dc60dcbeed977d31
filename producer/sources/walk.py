"""The images below a folder, sorted; everything else there is counted, or refused by its name.

* Hidden files and folders, other kinds of files, pipes and devices, and folders that maskpool wrote
  are passed over.
* A linked folder is not entered: its images come under their own names. One that leads where they
  would not come (out of the folder, into a hidden one) is refused.
* A linked image is read, unless it leads out of the folder: a worker would refuse it too. A link to
  nothing is kept if it is named like an image: its job fails with a sentence.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from maskpool.errors import SourceError
from producer import marks
from producer.sources import names
from producer.sources import passed as kinds
from producer.sources.globs import Pattern
from producer.sources.passed import PassedOver

#: Where a run draws.
_DRAWN = "overlays"

#: What is no kind of thing that is passed over: it is read, entered, or not asked for at all.
_IMAGE, _FOLDER, _UNASKED = "image", "folder", ""


class Walk:
    """One walk through a folder.

    Args:
        text: The source, as its user wrote it.
        root: The folder, without links in its path.
        passed: Counts what is passed over.
        pattern: Of a glob: what it does not name is neither read, counted nor refused.
    """

    def __init__(
        self,
        text: str,
        root: Path,
        passed: PassedOver | None = None,
        pattern: Pattern | None = None,
    ) -> None:
        self._text = text
        self._root = root
        self._passed = PassedOver() if passed is None else passed
        self._pattern = pattern

    def images(self) -> Iterator[str]:
        """Names below the root, sorted by their bytes; holds those of one folder a level.

        Raises:
            SourceError: A folder or a link cannot be read, or a link leads astray; names it. Or
                maskpool wrote the root itself.
        """
        levels = [iter(self._entries(""))]
        while levels:
            name = next(levels[-1], None)
            if name is None:
                levels.pop()
            elif name.endswith("/"):
                levels.append(iter(self._entries(name)))
            else:
                yield name

    def _entries(self, base: str) -> list[str]:
        """Names in one folder, those of folders with a slash, sorted as the names below them."""
        found: list[str] = []
        aside = PassedOver()
        try:
            with os.scandir(self._root / base) as entries:
                for entry in entries:
                    if entry.name in marks.ALL:
                        return self._ours(base, entry.name)
                    name = base + entry.name
                    kind = self._kind(name, entry)
                    if kind == _IMAGE:
                        found.append(name)
                    elif kind == _FOLDER:
                        found.append(f"{name}/")
                    elif kind != _UNASKED:
                        aside.add(kind, name)
        except OSError as error:
            raise SourceError(self._text, f"folder {names.shown(base)}: {error.strerror}") from None
        self._passed.update(aside)
        return sorted(found, key=os.fsencode)

    def _ours(self, base: str, mark: str) -> list[str]:
        if not base:
            raise refused_as_ours(self._text, mark)
        self._passed.add(kinds.OURS, base.rstrip("/"))
        return []

    def _kind(self, name: str, entry: os.DirEntry[str]) -> str:
        """``_IMAGE``, ``_FOLDER``, ``_UNASKED``, or the kind of what is passed over."""
        if entry.is_symlink():
            return self._link(name, entry)
        if entry.is_dir(follow_symlinks=False):
            return self._folder(name, entry.name)
        if self._pattern is not None and not self._names(name):
            return _UNASKED
        if entry.name.startswith("."):
            return kinds.HIDDEN_FILE
        if not entry.is_file(follow_symlinks=False):
            return kinds.no_file(entry.stat(follow_symlinks=False).st_mode)
        return _file(entry.name)

    def _folder(self, name: str, own_name: str) -> str:
        if not self._enters(name):
            return _UNASKED
        return kinds.HIDDEN_FOLDER if own_name.startswith(".") else _FOLDER

    def _link(self, name: str, entry: os.DirEntry[str]) -> str:
        is_named = self._names(name)
        if not is_named and not self._enters(name):
            return _UNASKED
        if entry.name.startswith("."):
            return kinds.HIDDEN_FILE
        mode = self._target_mode(name, entry)
        if mode is None:
            return _IMAGE if is_named and names.is_image(entry.name) else kinds.DEAD_LINK
        if stat.S_ISDIR(mode):
            return self._linked_folder(name, entry)
        if not is_named:
            return _UNASKED
        kind = _file(entry.name) if stat.S_ISREG(mode) else kinds.no_file(mode)
        if kind == _IMAGE:
            self._target_inside(name, entry)
        return kind

    def _target_mode(self, name: str, entry: os.DirEntry[str]) -> int | None:
        """The mode of what a link leads to; None where that is nothing, or goes in a circle."""
        try:
            return entry.stat().st_mode
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return None
            raise self._error(name, f"cannot be followed: {error.strerror}; remove it") from None

    def _linked_folder(self, name: str, entry: os.DirEntry[str]) -> str:
        if not self._enters(name):
            return _UNASKED
        target = self._target_inside(name, entry)
        if any(part.startswith(".") for part in target.split("/")):
            raise self._error(
                name,
                "leads into a hidden folder, which is passed over; submit the folder it points "
                "to, or remove the link",
            )
        if self._pattern and not self._pattern.places(name) <= self._pattern.places(target):
            raise self._error(
                name,
                f"is not entered, and the glob does not name the folder it points to, "
                f"{names.shown(target)}; name that folder, or all folders ('**')",
            )
        return kinds.LINKED_FOLDER

    def _target_inside(self, name: str, entry: os.DirEntry[str]) -> str:
        """Where a link leads to, below the root; empty for the root itself."""
        # Path.resolve raises where links go in a circle.
        target = Path(os.path.realpath(entry.path))
        if not target.is_relative_to(self._root):
            raise self._error(
                name,
                "leaves the folder; submit the folder it points to, or copy here what it points to",
            )
        inside = target.relative_to(self._root).as_posix()
        return "" if inside == "." else inside

    def _names(self, name: str) -> bool:
        """Whether a file of this name is asked for."""
        return self._pattern is None or self._pattern.matches(name)

    def _enters(self, folder: str) -> bool:
        """Whether something below this folder may be asked for."""
        return self._pattern is None or bool(self._pattern.places(folder))

    def _error(self, name: str, reason: str) -> SourceError:
        return SourceError(self._text, f"the link {names.shown(name)} {reason}")


def _file(own_name: str) -> str:
    """The kind of a file."""
    return _IMAGE if names.is_image(own_name) else kinds.ending(own_name)


def refuse_ours(text: str, folder: Path) -> None:
    """Refuse a folder that maskpool wrote, or drew pictures in, before anything in it is touched.

    Raises:
        SourceError: It is one.
    """
    for mark in marks.ALL:
        if (folder / mark).exists():
            raise refused_as_ours(text, mark)
    for inside in (folder, *folder.parents):
        if inside.name == _DRAWN and any((inside.parent / mark).exists() for mark in marks.RUNS):
            raise refused_as_ours(text, f"{inside.parent.name}/{marks.RUN}")


def refused_as_ours(text: str, mark: str) -> SourceError:
    """The refusal of a source that is itself a folder of ours."""
    return SourceError(
        text,
        f"maskpool wrote this folder ({mark} is there), and its pictures are drawings of masks; "
        "name the folder of the images, and move your own out of this one",
    )
