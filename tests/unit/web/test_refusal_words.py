"""Refusals as pages say them: each code has its words, with no place that its parameters lack."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from unit.web.test_words import TEXT, WEB, places

from db import tasks
from maskpool.abilities import Ability
from maskpool.domain import BatchState
from maskpool.failure_kinds import FailureKind
from maskpool.glossary import Why
from producer.accounts.rights import Right
from web.studio.words import LANGUAGES, words_of

ROOT = WEB.parent
ROOMS = ("maskpool", "producer", "db", "clerk", "web")

#: What ``explain`` of the page's ``api.js`` adds to the parameters of every refusal.
ADDED = {"detail", "status", "count"}

#: What a refused spec or a refused field of it says besides.
OF_FIELDS = {"field", "reason"}

#: Errors that say what is wrong with a field.
WITH_FIELDS = {"SpecError", "Unfit"}

#: Classes whose codes without words of their own would be "cannot be done now" alone.
GENERIC = {"Conflict", "Refused", "TooMany"}

#: What only a command line comes to: folders of a run, files of an export, the embedded stack.
OF_COMMANDS = ("producer/formats/", "producer/run/", "producer/local/", "producer/cli/")


class Raised(NamedTuple):
    """One place where a refusal is made.

    Attributes:
        where: File and line.
        name: What is called there.
        code: Empty where it says none.
        params: Their names; None where they are not written there one by one.
    """

    where: str
    name: str
    code: str
    params: frozenset[str] | None


@cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return tuple((file, ast.parse(file.read_text())) for file in files)


def constants() -> set[str]:
    return {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def raised() -> Iterator[Raised]:
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                where = f"{file.relative_to(ROOT)}:{node.lineno}"
                yield _problem(node, where) if _name(node) == "Problem" else _error(node, where)


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def _error(call: ast.Call, where: str) -> Raised:
    said = {one.arg: one.value for one in call.keywords}
    name, code = _name(call), said.get("code")
    params = said.get("params")
    names: frozenset[str] | None = frozenset()
    if isinstance(params, ast.Dict):
        names = frozenset(one.value for one in params.keys if isinstance(one, ast.Constant))
    # A function of a module's own may add parameters to those that it is called with.
    elif params is not None or not name[:1].isupper():
        names = None
    return Raised(where, name, code.value if isinstance(code, ast.Constant) else "", names)


def _problem(call: ast.Call, where: str) -> Raised:
    code = call.args[1] if len(call.args) > 1 else None
    names = {one.arg for one in call.keywords}
    found = frozenset(filter(None, names)) if None not in names else None
    return Raised(where, "Problem", code.value if isinstance(code, ast.Constant) else "", found)


CODED = [one for one in raised() if one.code]


def test_the_places_are_found() -> None:
    found = {one.code for one in CODED}
    assert {"batch.ended", "predict.in_flight", "prompt.same", "auth.right", "stale"} <= found
    checked = [one for one in CODED if one.params]
    assert len(checked) > 30


@pytest.mark.parametrize("one", CODED, ids=lambda one: f"{one.where}-{one.code}")
def test_a_code_has_words_and_their_places_are_its_parameters(one: Raised) -> None:
    for language in LANGUAGES:
        word = words_of(language).get(f"error.{one.code}")
        assert word is not None, (language, one)
        if one.params is not None:
            given = one.params | ADDED | (OF_FIELDS if one.name in WITH_FIELDS else set())
            assert places(word) <= given, (language, one)


def test_whatever_a_state_or_right_forbids_has_a_code() -> None:
    bare = [
        one.where
        for one in raised()
        if one.name in GENERIC and not one.code and not one.where.startswith(OF_COMMANDS)
    ]
    # It is handed its code.
    assert [where for where in bare if not where.startswith("db/batches.py")] == []
    assert len(bare) == 1


def test_what_parameters_stand_for_has_words() -> None:
    states = {one.label for one in (*BatchState, *tasks.TaskState)}
    kinds = set(FailureKind) - {FailureKind.OTHER}
    # Codes that are handed on, as those of addresses, lines and members of archives are.
    codes = {one for one in constants() if re.fullmatch(r"(archive|manifest|place)\.[a-z_]+", one)}
    assert {"place.bucket", "archive.encrypted", "manifest.no_image"} <= codes
    for language in LANGUAGES:
        known = set(words_of(language))
        assert {f"state.{one}" for one in states} <= known
        assert {f"right.{one}" for one in Right} <= known
        assert {f"lacks.{one}" for one in Ability} <= known
        assert {f"error.failure.{one}" for one in kinds} <= known
        assert {f"error.{code}" for code in codes} <= known


def test_no_word_is_for_a_code_that_nothing_says() -> None:
    named = constants()
    named |= {f"glossary.{why}" for why in Why}
    named |= {f"failure.{kind}" for kind in FailureKind}
    for key in words_of("en"):
        if key.startswith("error."):
            code = key.removeprefix("error.")
            assert code in named or f'"{code}"' in TEXT or f'"{key}"' in TEXT, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_a_code_quote_no_english_sentence(language: str) -> None:
    """What has a code has all of it said in its own words; what is free text still is."""
    free = {
        *(
            "auth.refused",
            "conflict",
            "http",
            "other",
            "page",
            "picture.failed",
            "predict.failed",
            "refused",
        ),
        *("source.refused", "task.failed", "too_many"),
    }
    quoting = {
        key.removeprefix("error.")
        for key, word in words_of(language).items()
        if key.startswith("error.") and "detail" in places(word)
    }
    assert quoting == free
