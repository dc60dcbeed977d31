"""What a source passes over: counted by kind, so that no image is lost without a word."""

from __future__ import annotations

import os
import re
import stat
from functools import lru_cache
from typing import TYPE_CHECKING

from maskpool.errors import Option, SourceError
from producer.sources import names

if TYPE_CHECKING:
    from producer.sources import Source

#: Kinds, besides the endings of files; each stands here as one and as several.
LINKED_FOLDER = "linked folder"
DEAD_LINK = "link to nothing"
OURS = "folder that maskpool wrote"
HIDDEN_FOLDER = "hidden folder"
HIDDEN_FILE = "hidden file"
ODD_KEY = "key that cannot be a name"
UNFINISHED = "file whose parts are not all there"
_PIPE, _SOCKET, _DEVICE = "pipe", "socket", "device"
_NO_ENDING = "file without an ending"
_ODD_ENDING = "file with an odd ending"
_MANY = {
    LINKED_FOLDER: "linked folders",
    DEAD_LINK: "links to nothing",
    OURS: "folders that maskpool wrote",
    ODD_KEY: "keys that cannot be names",
    UNFINISHED: "files whose parts are not all there",
    _PIPE: "pipes",
    _SOCKET: "sockets",
    _DEVICE: "devices",
    _NO_ENDING: "files without an ending",
    HIDDEN_FOLDER: "hidden folders",
    HIDDEN_FILE: "hidden files",
    _ODD_ENDING: "files with an odd ending",
}

#: Endings of what holds a picture and is not read: they are named before all other endings.
_PICTURES = frozenset(
    (
        *(".3fr", ".ai", ".arw", ".avi", ".bpg", ".cr2", ".cr3", ".crw", ".dcm", ".dds", ".dib"),
        *(".djvu", ".dng", ".emf", ".eps", ".exr", ".fits", ".hdr"),
        *(".icns", ".ico", ".j2c", ".j2k", ".jpc", ".jpf", ".jpx", ".jxl", ".jxr", ".m4v", ".mkv"),
        *(".mov", ".mp4", ".mpeg", ".mpg", ".nef", ".nii", ".npy", ".npz", ".nrw", ".orf"),
        *(".pam", ".pcx", ".pdf", ".pef", ".pfm", ".psb", ".psd", ".qoi", ".raf", ".ras"),
        *(".raw", ".rw2", ".sgi", ".srw", ".svg", ".svs", ".tga", ".wdp", ".webm", ".wmf", ".xbm"),
        *(".xcf", ".xpm", ".7z", ".gz", ".rar", ".tar", ".tgz", ".zip"),
    )
)

#: An ending that can be shown as it is.
_ENDING = re.compile(r"\.[\w~+-]{1,12}")

#: Kinds that are counted one by one: files whose endings are numbers would else fill the memory.
_MAX_KINDS = 200

#: Kinds that one sentence names.
_MAX_NAMED = 6

_OF_MODE = {
    stat.S_IFIFO: _PIPE,
    stat.S_IFSOCK: _SOCKET,
    stat.S_IFCHR: _DEVICE,
    stat.S_IFBLK: _DEVICE,
}


class PassedOver:
    """What one reading of a source passed over; holds a count and one name of each kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind, those that are most likely to be missed first."""
        return dict(sorted(self._counts.items(), key=_rank))

    def add(self, kind: str, name: str, count: int = 1) -> None:
        """Count something, ``name`` being one of them."""
        counts = self._counts
        if kind not in counts:
            if len(counts) >= _MAX_KINDS and kind not in _MANY:
                kind = _ODD_ENDING
            counts.setdefault(kind, 0)
            self._first.setdefault(kind, name)
        counts[kind] += count
        self._first[kind] = min(self._first[kind], name)

    def update(self, other: PassedOver) -> None:
        """Count what was counted elsewhere."""
        for kind, count in other._counts.items():
            self.add(kind, other._first[kind], count)

    def sentence(self, *, with_names: bool = False) -> str:
        """E.g. ``passed over: 3 .psd, 1 linked folder``; empty where nothing was.

        Args:
            with_names: Name one of each kind as well.
        """
        counts = self.counts
        named = [self._words(kind, with_names=with_names) for kind in list(counts)[:_MAX_NAMED]]
        others = sum(list(counts.values())[_MAX_NAMED:])
        if others:
            named.append(f"{others:,} other{'s' if others > 1 else ''}")
        return f"passed over: {', '.join(named)}" if named else ""

    def require_nothing(self, text: str) -> None:
        """Refuse a source of which anything of the user's was passed over.

        A folder that maskpool wrote has no image of theirs, and may be that of the run itself.

        Args:
            text: The source, as its user wrote it; it was read to its end.

        Raises:
            SourceError: Something was; counts and names it.
        """
        if self._counts.keys() - {OURS}:
            raise SourceError(
                text,
                f"{self.sentence(with_names=True)}; move them elsewhere, list the images in a "
                ".txt, or let them be passed over",
                option=Option.STRICT,
            )

    def no_image(self, text: str) -> SourceError:
        """The refusal of a source that has no image, only what was passed over."""
        told = self.sentence(with_names=True)
        reason = f"there is no image in it{told and f'; {told}'}"
        return SourceError(text, reason, code="source.no_image", params={"source": text})

    def _words(self, kind: str, *, with_names: bool) -> str:
        count, first = self._counts[kind], names.shown(self._first[kind])
        words = kind if count == 1 else _MANY.get(kind, kind)
        example = f" ({first})" if count == 1 else f" ({first}, …)"
        return f"{count:,} {words}{example if with_names else ''}"


def _rank(item: tuple[str, int]) -> tuple[int, int, str]:
    kind, count = item
    kinds = list(_MANY)
    quiet = (HIDDEN_FOLDER, HIDDEN_FILE)
    first = kind in _PICTURES or (kind in kinds and kind not in quiet)
    return (0 if first else 1, -count, kind)


def ending(name: str) -> str:
    """The kind of a file that is no image by its name."""
    return _of_suffix(os.path.splitext(name)[1])  # noqa: PTH122 - no Path for each file


@lru_cache(_MAX_KINDS)
def _of_suffix(suffix: str) -> str:
    if len(suffix) < 2:
        return _NO_ENDING
    return suffix.lower() if _ENDING.fullmatch(suffix) else _ODD_ENDING


def no_file(mode: int) -> str:
    """The kind of what is neither a file nor a folder, by its mode."""
    return _OF_MODE.get(stat.S_IFMT(mode), _DEVICE)


def passed_over(source: Source) -> PassedOver:
    """What a source passes over; reads it to its end.

    Raises:
        SourceError: A name or a line is refused; names it.
        Unreachable: A bucket does not answer.
    """
    passed = PassedOver()
    for _ in source.refs(passed):
        pass
    return passed
