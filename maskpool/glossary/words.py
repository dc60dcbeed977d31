"""Words: what one may be, the list that comes with maskpool, and lists laid over it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files

from maskpool.encoder_text import checked_text
from maskpool.errors import SpecError
from maskpool.glossary.chinese import has_chinese, plain
from maskpool.text import is_storable, one_line

#: Of the list in ``words.csv``; grows with each change of it, so that a batch can name its words.
SHIPPED_VERSION = 1

#: Characters of a word, and of its English.
MAX_WORD = 40
MAX_ENGLISH = 100

#: With these a text would be a formula where a spreadsheet opens the file.
_FORMULA = re.compile(r"^[=+\-@\t\r]")


class Kind(StrEnum):
    """What a word may be in a phrase."""

    NOUN = "noun"
    COLOUR = "colour"
    MATERIAL = "material"


class Wrong(StrEnum):
    """Why a word is refused."""

    KIND = "kind"
    EMPTY = "empty"
    LONG = "long"
    CONTROL = "control"
    FORMULA = "formula"
    NOT_CHINESE = "not_chinese"
    CHINESE = "chinese"
    #: The encoder of texts refuses it.
    TEXT = "text"
    #: Its line of a file has too many cells.
    CELLS = "cells"
    #: A file gives it two kinds of English.
    TWICE = "twice"


class WordError(SpecError):
    """A word is refused.

    Args:
        field: ``word``, ``kind`` or ``english``.
        why: For programs.
        reason: For people.
    """

    def __init__(self, field: str, why: Wrong, reason: str) -> None:
        super().__init__(field, reason)
        self.why = why


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Attributes:
        word: In Chinese, as it was written.
        kind: What it may be in a phrase.
        english: What is sent for it.
    """

    word: str
    kind: Kind
    english: str

    @property
    def key(self) -> str:
        """The word in the form that is compared."""
        return plain(self.word)

    def is_like(self, query: str) -> bool:
        """Whether a search finds it: by any part of it, in any writing, or of its English."""
        asked = plain(query)
        return asked in self.key or asked in self.english.lower()

    @classmethod
    def checked(cls, word: str, kind: str, english: str) -> Word:
        """A word from outside.

        Raises:
            WordError: It is refused; names ``word``, ``kind`` or ``english``.
        """
        word, english = " ".join(word.split()), " ".join(english.split())
        if kind not in list(Kind):
            raise WordError("kind", Wrong.KIND, f"{kind!r} is none; write noun, colour or material")
        for name, text, most in (("word", word, MAX_WORD), ("english", english, MAX_ENGLISH)):
            _require_plain(name, text, most)
        if not has_chinese(word):
            reason = f"{word!r} holds no Chinese character, so it would never be looked up"
            raise WordError("word", Wrong.NOT_CHINESE, reason)
        if has_chinese(english):
            reason = f"{english!r} holds Chinese; write what is to be sent in English"
            raise WordError("english", Wrong.CHINESE, reason)
        try:
            return cls(word, Kind(kind), checked_text(english))
        except ValueError as error:
            raise WordError("english", Wrong.TEXT, str(error)) from None


def _require_plain(name: str, text: str, most: int) -> None:
    if not text:
        raise WordError(name, Wrong.EMPTY, "it is empty")
    if len(text) > most:
        reason = f"it has {len(text)} characters; {most} are allowed"
        raise WordError(name, Wrong.LONG, reason)
    if not is_storable(text) or one_line(text) != text:
        reason = "it holds a control character, or is not UTF-8"
        raise WordError(name, Wrong.CONTROL, reason)
    if _FORMULA.match(text):
        reason = f"{text!r} begins like a formula of a spreadsheet; begin it with a letter"
        raise WordError(name, Wrong.FORMULA, reason)


@dataclass(frozen=True, slots=True)
class Glossary:
    """Words to compose with.

    Attributes:
        version: ``shipped.pool.team``: of each of the three lists, 0 of one without words.
        english: By kind, then by the word in the form that is compared.
    """

    version: str
    english: Mapping[Kind, Mapping[str, str]]
    #: The longest word, in characters; no longer piece of a phrase is looked up.
    longest: int = field(init=False)

    def __post_init__(self) -> None:
        """Measure the words once."""
        longest = max((len(word) for words in self.english.values() for word in words), default=0)
        object.__setattr__(self, "longest", longest)

    @classmethod
    def of(cls, version: str, words: Iterable[Word]) -> Glossary:
        """A glossary of words; a later one of the same word and kind wins."""
        english: dict[Kind, dict[str, str]] = {kind: {} for kind in Kind}
        for word in words:
            english[word.kind][word.key] = word.english
        return cls(version, english)

    def overlaid(self, version: str, words: Iterable[Word]) -> Glossary:
        """This one with other words laid over it."""
        over = Glossary.of(version, words)
        merged = {kind: {**self.english[kind], **over.english[kind]} for kind in Kind}
        return Glossary(version, merged)


@cache
def shipped_words() -> tuple[Word, ...]:
    """The words that come with maskpool, in the order of their file."""
    with files("maskpool.glossary").joinpath("words.csv").open(encoding="utf-8") as file:
        return tuple(
            Word(row["word"], Kind(row["kind"]), row["english"]) for row in csv.DictReader(file)
        )


@cache
def shipped() -> Glossary:
    """The glossary that comes with maskpool; read when the first Chinese phrase comes."""
    return Glossary.of(f"{SHIPPED_VERSION}.0.0", shipped_words())
