"""The pages' words: complete in every language, and each of them used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Request

from maskpool.glossary import Why
from maskpool.glossary.table import FileWrong
from maskpool.glossary.words import Wrong
from producer import problems
from producer.accounts.rights import Right
from web.studio import words
from web.studio.words import LANGUAGES, Word, words_of

WEB = Path(words.__file__).parents[1]
STUDIO = WEB / "studio"
FIRST, *OTHERS = LANGUAGES

#: Sources that name words.
SOURCES = [*STUDIO.glob("static/*.js"), *STUDIO.glob("templates/*.html")]
TEXT = "\n".join(file.read_text("utf-8") for file in SOURCES)

#: Beginnings of keys whose end is made: of a code, a right, a state.
MADE = (
    *re.findall(r"`([a-z][\w.-]*\.)\$\{", TEXT),
    *re.findall(r'"([a-z][\w.-]*\.)" ~', TEXT),
)


def forms(word: Word) -> list[str]:
    return [word] if isinstance(word, str) else list(word.values())


def places(word: Word) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", " ".join(forms(word))))


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_words(language: str) -> None:
    ours = {file.name for file in (words.FOLDER / FIRST).iterdir()}
    assert {file.name for file in (words.FOLDER / language).iterdir()} == ours
    assert set(words_of(language)) == set(words_of(FIRST))


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_has_the_same_places(language: str) -> None:
    for key, word in words_of(language).items():
        # A plural form may say "one" without the figure.
        assert places(word) | {"count"} == places(words_of(FIRST)[key]) | {"count"}, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty_or_of_another_language(language: str) -> None:
    for key, word in words_of(language).items():
        for form in forms(word):
            assert form, key
            han = re.search(r"[\u4e00-\u9fff]", form) is not None
            foreign = language == "en" and han and not key.startswith("language.")
            assert not foreign, key


def test_chinese_has_one_word_for_one_thing() -> None:
    for key, word in words_of("zh").items():
        for form in forms(word):
            # 掩码, 分数 and 计入 are said instead.
            assert not re.search("掩膜|得分|算数", form), key


def test_chinese_sets_names_that_people_gave_apart() -> None:
    for key, word in words_of("zh").items():
        for form in forms(word):
            assert not re.search(r"[\u4e00-\u9fff]\{name\}|\{name\}[\u4e00-\u9fff]", form), key


def test_a_place_gives_no_word_twice() -> None:
    for language in LANGUAGES:
        count = 0
        for file in (words.FOLDER / language).iterdir():
            count += len(re.findall(r'^  "', file.read_text("utf-8"), re.MULTILINE))
        assert count == len(words_of(language))


def test_every_word_is_used() -> None:
    for key in words_of(FIRST):
        assert f'"{key}"' in TEXT or key.startswith(MADE), f"nothing says {key}"


def test_every_word_that_is_said_is_there() -> None:
    # What ends in a point is made: its end stands elsewhere.
    said = set(re.findall(r'\b(?:t|fill)\(\s*"([^"]+[^".])"', TEXT))
    assert said
    assert said <= set(words_of(FIRST))


def codes() -> set[str]:
    """Every code that a refusal of the web server may have."""
    found = {code for _, code in problems._PLAIN} | {"service.away", "method", "http"}
    return found | set(called("Problem", 1, WEB))


def codes_of_tasks() -> set[str]:
    """Every code that tasks have beside those: why one failed."""
    rooms = [WEB.parent / room for room in ("clerk", "db", "producer")]
    named = {
        keyword.value.value
        for room in rooms
        for call in calls(room)
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    return named | {code for room in rooms for code in called("Why", 0, room)}


def calls(folder: Path) -> Iterator[ast.Call]:
    for file in folder.rglob("*.py"):
        yield from (
            node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
        )


def called(name: str, place: int, folder: Path) -> Iterator[str]:
    """What is said at this place of the arguments where a name is called."""
    for call in calls(folder):
        if getattr(call.func, "id", "") == name and isinstance(call.args[place], ast.Constant):
            yield call.args[place].value


def test_every_refusal_and_every_right_is_translated() -> None:
    assert {f"error.{code}" for code in codes()} <= set(words_of(FIRST))
    of_tasks = codes_of_tasks()
    assert {"archive.bomb", "export.unfinished", "task.bug", "task.lost"} <= of_tasks
    assert {f"error.{code}" for code in of_tasks} <= set(words_of(FIRST))
    assert {f"error.glossary.{why}" for why in Why} <= set(words_of(FIRST))
    assert {f"glossary.file.{why}" for why in FileWrong} <= set(words_of(FIRST))
    assert {f"glossary.wrong.{why}" for why in Wrong} <= set(words_of(FIRST))
    assert {f"right.{right}" for right in Right} <= set(words_of(FIRST))


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        ("", "", "en"),
        ("", "fr, de;q=0.5", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "ZH-tw", "zh"),
        ("", "fr, en;q=0.5, zh;q=0.7", "zh"),
        ("", "zh;q=0, en", "en"),
        ("", "zh;q=x", "en"),
        ("lang=en", "zh", "en"),
        ("lang=zh", "en", "zh"),
        ("lang=../zh", "en", "en"),
    ],
)
def test_the_language_is_chosen_or_asked_for(cookie: str, accept: str, language: str) -> None:
    headers = [(b"cookie", cookie.encode()), (b"accept-language", accept.encode())]
    assert words.language_of(Request({"type": "http", "headers": headers})) == language
