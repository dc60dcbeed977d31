"""Local folders, globs and single images as sources.

Links: one that stays inside the folder is followed if it is a file, and not entered if it is a
folder (its images are found at their own place). One that leaves the folder is refused, because a
worker would refuse it too. Hidden files and folders are passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import names
from storage.uris import file_uri

#: The pieces of a pattern: a class, or one character.
_TOKENS = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)

#: Characters that mean something in a class of ``re`` and nothing in one of a glob.
_SET_SIGNS = re.compile(r"[\^\\\[&~|]")


@dataclass(frozen=True, slots=True)
class FileSource:
    """A single image under the name its user gave; of a link, the target is read."""

    text: str
    name: str
    path: Path
    kind: str = "image"

    @property
    def root(self) -> Path:
        """The image's folder."""
        return self.path.parent

    def refs(self) -> Iterator[ImageRef]:
        """The one image."""
        yield _ref(self.text, self.name, str(self.path))

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [str(self.path)] if name == self.name else []


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Every image below a folder."""

    text: str
    root: Path
    kind: str = "folder"

    def refs(self) -> Iterator[ImageRef]:
        """Images sorted by name; holds the names of one folder a level."""
        for name in _walk(self.text, self.root):
            yield _ref(self.text, name, f"{self.root}/{name}")

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [str(self.root / name)] if (self.root / name).exists() else []


@dataclass(frozen=True, slots=True)
class GlobSource:
    """Images below a folder whose path matches a pattern; ``**`` stands for any folders.

    A name may hold a wildcard itself, as ``p [1]`` does. From the left, each part of a glob that is
    a folder as it is written is that folder, and no pattern; from the first part that is none,
    every part is a pattern, which finds a name that is written like it as well.
    """

    text: str
    root: Path
    pattern: str
    kind: str = "glob"

    @classmethod
    def of(cls, text: str) -> GlobSource:
        """Split a glob before the first part with a wildcard that is no folder by itself.

        Raises:
            SourceError: The folder before that part does not exist or may not be entered, or no
                wildcard is left behind it.
        """
        parts = text.split("/")
        fixed = _fixed_parts(parts)
        base = "/".join(parts[:fixed]) or ("/" if text.startswith("/") else ".")
        pattern = "/".join(part for part in parts[fixed:] if part)
        if not _is_folder(base):
            raise SourceError(text, f"there is no folder {base!r} to look in")
        if not is_glob(pattern):
            raise SourceError(text, f"the folder {base!r} is there, and holds no {pattern!r}")
        return cls(text, Path(base).resolve(), pattern)

    def refs(self) -> Iterator[ImageRef]:
        """Images sorted by name, which is the path below the part without wildcards."""
        matches = glob_regex(self.pattern).fullmatch
        depth = None if "**" in self.pattern else self.pattern.count("/")
        for name in _walk(self.text, self.root, depth):
            if matches(name):
                yield _ref(self.text, name, f"{self.root}/{name}")

    def places(self, name: str) -> list[str]:
        """See ``producer.sources.Source``."""
        return [str(self.root / name)] if (self.root / name).exists() else []


def _fixed_parts(parts: Sequence[str]) -> int:
    """How many parts of a glob come before its pattern; the last one is always a pattern."""
    for count, part in enumerate(parts[:-1]):
        if is_glob(part) and not _is_folder("/".join(parts[: count + 1])):
            return count
    return len(parts) - 1


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # too long a name, or a folder above it that may not be entered
        return False


def is_glob(text: str) -> bool:
    """Whether ``text`` holds a wildcard."""
    return any(character in text for character in "*?[")


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A pattern over ``/``-separated names: ``*``, ``?`` and ``[…]`` stay within one part."""
    parts = pattern.split("/")
    regex = ""
    for part in parts[:-1]:
        regex += "(?:[^/]+/)*" if part == "**" else f"{_part_regex(part)}/"
    last = parts[-1]
    regex += ".+" if last == "**" else _part_regex(last)
    return re.compile(regex, re.DOTALL)


def _part_regex(part: str) -> str:
    regex = ""
    for piece in _TOKENS.findall(part):
        if piece == "*":
            regex += "[^/]*"
        elif piece == "?":
            regex += "[^/]"
        elif len(piece) > 1:
            regex += _class_regex(piece)
        else:
            regex += re.escape(piece)
    return f"(?:{regex}|{re.escape(part)})" if "[" in part else regex


def _class_regex(piece: str) -> str:
    """A class such as ``[a-c]``; ``re`` reads it as a glob does, but for what it negates with."""
    negated, body = ("^", piece[2:-1]) if piece[1] == "!" else ("", piece[1:-1])
    body = _SET_SIGNS.sub(r"\\\g<0>", body).replace("--", r"-\-")
    regex = f"(?!/)[{negated}{body}]"
    try:
        re.compile(regex)
    except re.error:  # a range such as z-a is none: it stands for itself
        return re.escape(piece)
    return regex


def _walk(text: str, root: Path, depth: int | None = None) -> Iterator[str]:
    """Names of images below ``root``, sorted by the bytes of the whole name."""
    levels = [iter(_entries(text, root, "", root))]
    while levels:
        name = next(levels[-1], None)
        if name is None:
            levels.pop()
        elif not name.endswith("/"):
            yield name
        elif depth is None or len(levels) <= depth:
            levels.append(iter(_entries(text, root, name, root / name)))


def _entries(text: str, root: Path, base: str, folder: Path) -> list[str]:
    """Names in one folder, those of folders with a slash, sorted as the names below them."""
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            found.extend(
                f"{base}{entry.name}{'/' if kind == 'folder' else ''}"
                for entry in entries
                if not entry.name.startswith(".") and (kind := _kind(text, root, base, entry))
            )
    except OSError as error:
        raise SourceError(text, f"folder {names.shown(base)}: {error.strerror}") from None
    return sorted(found, key=os.fsencode)


def _kind(text: str, root: Path, base: str, entry: os.DirEntry[str]) -> str:
    """``file`` for an image, ``folder`` for one to enter, nothing for all else."""
    image = names.is_image(entry.name)
    if not entry.is_symlink():
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if image and entry.is_file(follow_symlinks=False) else ""
    if not image or entry.is_dir():
        return ""  # linked folders are not entered: they may lead round in a circle
    target = Path(entry.path).resolve()
    if target.exists() and not target.is_relative_to(root):
        raise SourceError(
            text,
            f"the link {names.shown(base + entry.name)} leaves the folder; "
            "submit the folder it points to, or copy the image here",
        )
    # A link to nothing is kept: its job fails with a sentence instead of being lost.
    return "file"


def _ref(text: str, name: str, path: str) -> ImageRef:
    if reason := names.refusal(name):
        raise SourceError(text, f"the name {names.shown(name)} {reason}")
    return ImageRef(name, file_uri(path))
