"""A Chinese phrase becomes an English one, or is refused; no segmenter, and no guess.

All ways to divide a phrase into words of the glossary are tried, since one way among several would
be a guess. What keeps wrong readings out, beside the grammar:

* A phrase that is a noun of the glossary itself is that noun: 金鱼 is a goldfish.
* Two characters are a word of their own in Chinese (黄牛, 木瓜), so a modifier of one character
  stands before a noun of one character only where the glossary says so.
* Two modifiers of one character in a row, without 的, are a word of their own as well (红绿灯).
* Where a longer word begins at a modifier and means something else (黄油 in 黄油漆桶), both
  readings are possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from maskpool.errors import SpecError
from maskpool.glossary.chinese import plain
from maskpool.glossary.words import Glossary, Kind

#: Characters of a phrase; ways to divide it grow with its length.
_MAX_PHRASE = 40

#: Modifiers of one phrase.
_MAX_MODIFIERS = 6

_OF = "的"

_NEGATION = re.compile("[没不非无未别勿]|除了")

#: A number, and what things are counted by.
_COUNT = re.compile(
    "^(?:[0-9〇零一二两三四五六七八九十百千几多]+[辆只个张条头匹把本台架艘座栋棵朵件双对群堆排名位块]"
    "|许多|很多|每)"
)

#: Verbs and prepositions with which a clause begins.
_ACTION = re.compile(
    "^(?:正在|[戴穿拿骑坐站躺跑走吃喝打玩抱推拉开停飞睡笑哭看举背提牵带挂放装有在被把给])"
)


class Why(StrEnum):
    """Why a phrase is not sent; each has a sentence of its own."""

    #: It denies something.
    NEGATION = "negation"
    #: It counts something.
    COUNT = "count"
    #: It tells what something does, has, or where it is.
    ACTION = "action"
    #: A piece of it is no word of the glossary.
    UNKNOWN = "unknown"
    #: It has no noun at its end.
    NO_NOUN = "no_noun"
    #: Two characters that may be a word of their own.
    GLUED = "glued"
    #: It can be read in two ways.
    AMBIGUOUS = "ambiguous"
    #: It has other letters beside the Chinese ones.
    MIXED = "mixed"


class GlossaryError(SpecError):
    """A phrase is not sent.

    Args:
        field: Dotted path of the offending field.
        why: The kind of the refusal.
        text: The phrase, as it was typed.
        rest: What of it stands in the way.
        other: Of an ambiguous phrase, the second reading; else how it may be written.
    """

    def __init__(self, field: str, why: Why, text: str, rest: str, other: str = "") -> None:
        super().__init__(field, _SENTENCES[why].format(text=text, rest=rest, other=other))
        self.why = why
        self.text = text
        self.rest = rest
        self.other = other
        self.params = {"field": field, "text": text, "rest": rest, "other": other}


_WRITE = "write it in English, as '{text}=…', or add it: maskpool glossary add"
_SENTENCES = {
    Why.NEGATION: (
        "'{text}' is not sent: '{rest}' denies something, which models hardly read; write what is "
        "not meant after ', not', as 'car, not truck'"
    ),
    Why.COUNT: (
        "'{text}' is not sent: '{rest}' counts; leave the number out, as every object is looked for"
    ),
    Why.ACTION: (
        "'{text}' is not sent: '{rest}' is more than colours, materials and a noun; write it in "
        "English, as '戴帽子的人=person wearing a hat'"
    ),
    Why.UNKNOWN: f"'{{text}}' is not sent: '{{rest}}' is not in the glossary; {_WRITE}",
    Why.NO_NOUN: (
        "'{text}' is not sent: '{rest}' is no noun of the glossary; write what is to be found "
        "behind it, as '红色的汽车'"
    ),
    Why.GLUED: (
        "'{text}' is not sent: two characters may be a word of their own; write '{other}', or, if "
        "it is one, its English as '{text}=…'"
    ),
    Why.AMBIGUOUS: (
        "'{text}' is not sent, as it may be '{rest}' or '{other}'; write 的 between its words, or "
        "the English as '{text}=…'"
    ),
    Why.MIXED: (
        "'{text}' is not sent: '{rest}' is not Chinese, and the glossary has no such word; write "
        "all of it in one language, as '{text}=…' with its English"
    ),
}


@dataclass(frozen=True, slots=True)
class Composed:
    """What a phrase is sent as.

    Attributes:
        text: As it was typed.
        sent: In English.
    """

    text: str
    sent: str


@dataclass(frozen=True, slots=True)
class _Part:
    """One word of a phrase.

    Attributes:
        start: Of its first character in the phrase.
        word: In the form that is compared.
        kind: What it is here.
        of: Whether 的 follows.
    """

    start: int
    word: str
    kind: Kind
    of: bool = False

    @property
    def bare(self) -> bool:
        """Whether it is one character, with nothing that parts it from the next word."""
        return len(self.word) == 1 and not self.of


def compose(glossary: Glossary, text: str, field: str = "text") -> Composed:
    """What a phrase is sent as; ``field`` is named by a refusal.

    Raises:
        GlossaryError: The glossary does not give exactly one reading.
    """
    phrase = plain(text)
    if whole := glossary.english[Kind.NOUN].get(phrase):
        return Composed(text, whole)
    if _names_no_thing(glossary, phrase):
        raise GlossaryError(field, Why.NO_NOUN, text, phrase)
    ways = [] if len(phrase) > _MAX_PHRASE else list(_ways(glossary, phrase, 0, ()))
    sound = _longest([way for way in ways if not _is_glued(way)])
    readings = dict.fromkeys(_english(glossary, way) for way in sound)
    if len(readings) == 1:
        [sent] = readings
        other = next(filter(None, (_crossing(glossary, phrase, way) for way in sound)), None)
        if other is None:
            return Composed(text, sent)
        raise GlossaryError(field, Why.AMBIGUOUS, text, sent, other)
    if readings:
        one, other, *_ = readings
        raise GlossaryError(field, Why.AMBIGUOUS, text, one, other)
    if ways:
        raise GlossaryError(field, Why.GLUED, text, phrase, _apart(ways[0]))
    raise _refusal(glossary, phrase, text, field)


def _names_no_thing(glossary: Glossary, phrase: str) -> bool:
    word = phrase.removesuffix(_OF)
    return any(word in glossary.english[kind] for kind in (Kind.COLOUR, Kind.MATERIAL))


def _ways(
    glossary: Glossary, phrase: str, start: int, before: tuple[_Part, ...]
) -> Iterator[tuple[_Part, ...]]:
    """All ways to divide the phrase from a place on, each as its parts."""
    if phrase[start:] in glossary.english[Kind.NOUN]:
        yield (*before, _Part(start, phrase[start:], Kind.NOUN))
    if len(before) < _MAX_MODIFIERS:
        for part in _modifiers(glossary, phrase, start):
            end = start + len(part.word) + part.of
            yield from _ways(glossary, phrase, end, (*before, part))


def _modifiers(glossary: Glossary, phrase: str, start: int) -> Iterator[_Part]:
    for end in range(start + 1, min(len(phrase), start + glossary.longest) + 1):
        word = phrase[start:end]
        for kind in (Kind.COLOUR, Kind.MATERIAL):
            if word in glossary.english[kind]:
                yield _Part(start, word, kind, phrase[end : end + 1] == _OF)


def _is_glued(way: Sequence[_Part]) -> bool:
    """Whether two single characters stand together that may be a word of their own."""
    return any(one.bare and len(two.word) == 1 for one, two in pairwise(way))


def _longest(ways: Sequence[tuple[_Part, ...]]) -> list[tuple[_Part, ...]]:
    """Ways without those that only divide a word of another way: 皮卡 is no leather card."""
    starts = [{part.start for part in way} for way in ways]
    return [
        way
        for way, mine in zip(ways, starts, strict=True)
        if not any(other < mine for other in starts)
    ]


def _english(glossary: Glossary, way: Sequence[_Part]) -> str:
    """Colours, then materials, each joined by 'and', then the noun."""
    joined = [
        " and ".join(
            dict.fromkeys(glossary.english[kind][one.word] for one in way if one.kind is kind)
        )
        for kind in (Kind.COLOUR, Kind.MATERIAL, Kind.NOUN)
    ]
    return " ".join(filter(None, joined))


def _crossing(glossary: Glossary, phrase: str, way: Sequence[_Part]) -> str | None:
    """A longer noun that begins at a modifier and means something else than the modifier there."""
    nouns = glossary.english[Kind.NOUN]
    for part in way[:-1]:
        end = part.start + len(part.word)
        for longer in range(end + 1, min(len(phrase), part.start + glossary.longest) + 1):
            word = phrase[part.start : longer]
            rest = nouns.get(word[len(part.word) :])
            same = f"{glossary.english[part.kind][part.word]} {rest}"
            if word in nouns and nouns[word] != same:
                return f"{nouns[word]} + {phrase[longer:]}"
    return None


def _apart(way: Sequence[_Part]) -> str:
    """The phrase with 的 behind each modifier, and colours with their own 色."""
    words = [
        one.word + ("色" if one.kind is Kind.COLOUR and len(one.word) == 1 else "") for one in way
    ]
    return _OF.join(words)


def _refusal(glossary: Glossary, phrase: str, text: str, field: str) -> GlossaryError:
    rest = _rest(glossary, phrase)
    for why, sign in ((Why.NEGATION, _NEGATION), (Why.COUNT, _COUNT), (Why.ACTION, _ACTION)):
        if sign.search(rest):
            return GlossaryError(field, why, text, rest)
    if not rest:
        return GlossaryError(field, Why.NO_NOUN, text, phrase)
    if latin := re.search(r"[a-z][a-z0-9 '-]*", rest):
        return GlossaryError(field, Why.MIXED, text, latin[0].strip())
    return GlossaryError(field, Why.UNKNOWN, text, rest)


def _rest(glossary: Glossary, phrase: str) -> str:
    """What is left of a phrase without the modifiers before it and what can be read behind it."""
    phrase, start = phrase[:_MAX_PHRASE], 0
    while longest := max(
        _modifiers(glossary, phrase, start), key=lambda part: len(part.word), default=None
    ):
        start += len(longest.word) + longest.of
    ends = (at for at in range(start + 1, len(phrase)) if any(_ways(glossary, phrase, at, ())))
    return phrase[start : next(ends, len(phrase))].removesuffix(_OF)
