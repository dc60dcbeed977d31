"""The list that comes with maskpool: its size, its form, and that each word means one thing."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from importlib.resources import files

from maskpool.glossary import Kind, Word, compose, shipped
from maskpool.glossary.chinese import has_chinese, plain
from maskpool.glossary.words import SHIPPED_VERSION, shipped_words

#: Of ``words.csv`` in each version: whoever changes the list gives it a new version.
DIGESTS = {1: "539ab4c9c4d4e5cb0a01798c49a35dc24cc8df99cac3d5f51d19a2fb30ee32de"}

#: Nouns that English has no singular of, or whose singular ends in s.
ENDS_IN_S = frozenset(
    [
        "abacus",
        "asparagus",
        "binoculars",
        "bus",
        "cactus",
        "canvas",
        "chives",
        "chopsticks",
        "clothes",
        "dentures",
        "fireworks",
        "forceps",
        "fries",
        "fungus",
        "glasses",
        "goggles",
        "goods",
        "handcuffs",
        "headphones",
        "hippopotamus",
        "jeans",
        "leggings",
        "lens",
        "lotus",
        "mantis",
        "minibus",
        "nucleus",
        "octopus",
        "pajamas",
        "pants",
        "pliers",
        "rhinoceros",
        "scissors",
        "shorts",
        "stairs",
        "stockings",
        "sunglasses",
        "trunks",
        "thermos",
        "walrus",
        "blinds",
    ]
)


def test_there_are_enough_of_each_kind() -> None:
    count = Counter(word.kind for word in shipped_words())
    assert count[Kind.NOUN] >= 1_500
    assert count[Kind.COLOUR] >= 50
    assert count[Kind.MATERIAL] >= 50


def test_each_word_is_there_once_in_each_kind() -> None:
    count = Counter((word.kind, word.key) for word in shipped_words())
    assert [key for key, times in count.items() if times > 1] == []


def test_each_word_is_what_a_team_could_write_as_well() -> None:
    for word in shipped_words():
        assert Word.checked(word.word, word.kind, word.english) == word
        assert has_chinese(word.word)
        assert word.key == word.word.lower(), "it is written simplified and half-width"


def test_each_english_is_a_plain_phrase_in_the_singular() -> None:
    for word in shipped_words():
        assert re.fullmatch(r"[a-z0-9][a-z0-9'-]*( [a-z0-9'-]+){0,3}", word.english), word
        if word.kind is Kind.NOUN:
            last = word.english.rpartition(" ")[2]
            assert not re.search(r"[^s]s$", last) or last in ENDS_IN_S, word


def test_each_noun_composes_to_itself() -> None:
    for word in (word for word in shipped_words() if word.kind is Kind.NOUN):
        assert compose(shipped(), word.word).sent == word.english
        assert compose(shipped(), f"红色的{word.word}").sent == f"red {word.english}"


def test_no_word_is_written_with_a_traditional_character() -> None:
    assert [word.word for word in shipped_words() if plain(word.word) != word.word.lower()] == []


def test_the_version_grows_with_the_list() -> None:
    content = files("maskpool.glossary").joinpath("words.csv").read_bytes()
    assert hashlib.sha256(content).hexdigest() == DIGESTS[SHIPPED_VERSION], "give it a new version"
    assert shipped().version == f"{SHIPPED_VERSION}.0.0"
