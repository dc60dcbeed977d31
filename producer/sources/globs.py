"""Globs: patterns over names, whose parts are separated by ``/``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: The pieces of a pattern: a class, or one character.
_TOKENS = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)

#: Characters that mean something in a class of ``re`` and nothing in one of a glob.
_SET_SIGNS = re.compile(r"[\^\\\[&~|]")

#: The part of a pattern that stands for any folders.
_ANY = "**"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob, to be asked about files and about the folders on the way to them.

    Attributes:
        parts: One expression a part; None for ``**``.
        whole: For the whole name of a file.
    """

    parts: tuple[re.Pattern[str] | None, ...]
    whole: re.Pattern[str]

    @classmethod
    def of(cls, glob: str) -> Pattern:
        """Read a glob."""
        parts = (
            None if part == _ANY else re.compile(_part_regex(part), re.DOTALL)
            for part in glob.split("/")
        )
        return cls(tuple(parts), glob_regex(glob))

    def matches(self, name: str) -> bool:
        """Whether the glob names this file."""
        return self.whole.fullmatch(name) is not None

    def places(self, folder: str) -> frozenset[int]:
        """Parts of the glob that may be the next one below a folder; none where it names nothing.

        A folder with no more places than another has nothing that the other does not have too, if
        both hold the same.

        Args:
            folder: Its name; empty for the folder that the glob starts in.
        """
        places = self._with_skipped({0})
        for name in folder.split("/") if folder else ():
            places = self._with_skipped(
                next_place
                for place in places
                if (next_place := self._after(place, name)) is not None
            )
        return frozenset(places)

    def _after(self, place: int, name: str) -> int | None:
        """Where the glob goes on below a folder of this name."""
        part = self.parts[place]
        if part is None:
            return place
        is_last = place == len(self.parts) - 1
        return None if is_last or not part.fullmatch(name) else place + 1

    def _with_skipped(self, places: Iterable[int]) -> set[int]:
        """With what follows where a ``**`` stands for no folder at all."""
        found = set(places)
        for place in range(len(self.parts) - 1):
            if place in found and self.parts[place] is None:
                found.add(place + 1)
        return found


def is_glob(text: str) -> bool:
    """Whether ``text`` holds a wildcard."""
    return any(character in text for character in "*?[")


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A pattern over ``/``-separated names: ``*``, ``?`` and ``[…]`` stay within one part."""
    parts = pattern.split("/")
    regex = ""
    for part in parts[:-1]:
        regex += "(?:[^/]+/)*" if part == _ANY else f"{_part_regex(part)}/"
    last = parts[-1]
    regex += ".+" if last == _ANY else _part_regex(last)
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
