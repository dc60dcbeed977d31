"""The languages of the pages: which one a browser wants, and the words of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fastapi import Request

FOLDER = Path(__file__).parent / "locales"

#: Folders of ``locales`` and how browsers name them; the first is for whose own is not here.
LANGUAGES = {"en": "en", "zh": "zh-CN"}

#: What a page keeps of somebody's choice.
COOKIE = "lang"

#: A sentence; or sentences by the plural forms of ``Intl.PluralRules``, which pages choose from.
Word = str | Mapping[str, str]


def language_of(request: Request) -> str:
    """The language that somebody chose, or that their browser asks for; one of ``LANGUAGES``."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    wanted = [_with_weight(part) for part in request.headers.get("accept-language", "").split(",")]
    # Sorting is stable: of two that are wanted alike, the first one named wins.
    for weight, tag in sorted(wanted, key=lambda one: -one[0]):
        if weight > 0 and tag.partition("-")[0] in LANGUAGES:
            return tag.partition("-")[0]
    return next(iter(LANGUAGES))


def _with_weight(part: str) -> tuple[float, str]:
    """``zh-CN;q=0.8`` as its weight and its tag; 0 for what cannot be read."""
    tag, _, weight = part.partition(";q=")
    try:
        return (float(weight) if weight else 1.0), tag.strip().lower()
    except ValueError:
        return 0.0, ""


@cache
def words_of(language: str) -> Mapping[str, Word]:
    """All words of a language by their keys; a file for each place of the pages."""
    words: dict[str, Word] = {}
    for file in sorted((FOLDER / language).glob("*.json")):
        words |= json.loads(file.read_text("utf-8"))
    return words


def say(language: str, key: str) -> str:
    """One sentence without places, for what a page shows before any script runs."""
    word = words_of(language)[key]
    assert isinstance(word, str), key  # noqa: S101 - templates name whole sentences only
    return word
