"""Local folders, globs and single images as sources; ``walk`` says what of a folder is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from maskpool.domain import ImageRef
from maskpool.errors import SourceError
from producer.sources import names
from producer.sources.globs import Pattern, is_glob
from producer.sources.passed import PassedOver
from producer.sources.single import SingleSource
from producer.sources.walk import Walk
from storage.uris import file_uri


def open_image(text: str, path: Path) -> SingleSource:
    """A single image under the name its user gave; of a link, the target is read.

    Raises:
        SourceError: The name is refused.
    """
    target = path.resolve()
    ref = _ref(text, path.name, str(target))
    return SingleSource(text, "image", ref, str(target), target.parent)


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Every image below a folder."""

    text: str
    root: Path
    kind: str = "folder"

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Images sorted by name; holds the names of one folder a level."""
        for name in Walk(self.text, self.root, passed).images():
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

    def refs(self, passed: PassedOver | None = None, /) -> Iterator[ImageRef]:
        """Images sorted by name, which is the path below the part without wildcards."""
        pattern = Pattern.of(self.pattern)
        for name in Walk(self.text, self.root, passed, pattern).images():
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


def _ref(text: str, name: str, path: str) -> ImageRef:
    names.require(text, name)
    return ImageRef(name, file_uri(path))
