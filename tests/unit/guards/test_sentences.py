"""What the core says is read at every door, so it names no option of the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskpool.errors import Conflict, Option, SourceError, SpecError
from maskpool.glossary import table
from producer.cli.flags import FLAGS, told
from web.problems import problem_of

ROOT = Path(__file__).parents[3]

#: A flag in a sentence, and a whole command, which means the same wherever it is read.
FLAG = re.compile(r"(?:^|[\s(])--[a-z]|[a-z,;][\s(]+-[a-z]\b")
COMMAND = re.compile(r"\b(?:maskpool|pip|python)(?: [a-z]+)* --?[a-z]+")


def sentences(program: str) -> Iterator[tuple[int, str]]:
    """Strings of several words in a program, but for its docstrings."""
    tree = ast.parse(program)
    told_of = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in told_of:
            text = node.value
            if isinstance(text, str) and " " in text.strip():
                yield node.lineno, text


def flagged(program: str) -> list[str]:
    """Sentences with a flag that stands in no command."""
    return [
        f"line {line}: {text}"
        for line, text in sentences(program)
        if FLAG.search(COMMAND.sub("", text))
    ]


@pytest.mark.parametrize("room", ["maskpool", "db", "storage", "producer", "web", "clerk"])
def test_no_sentence_below_the_command_line_names_a_flag(room: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in sorted((ROOT / room).rglob("*.py"))
        if not path.is_relative_to(ROOT / "producer" / "cli")
        and (found := flagged(path.read_text()))
    }
    assert not wrong, "give the error an Option, and each door its word for it"


def test_the_guard_sees_flags_and_lets_commands_be() -> None:
    assert flagged('raise E("say --partial for them")')
    assert flagged('raise E(f"{one}; give another with -o")')
    assert not flagged('"""Docs of --partial here."""\nrun(["--port", "0"])')
    assert not flagged('raise E("start it with maskpool up --root DIR")')


def test_each_door_says_an_option_in_its_own_words() -> None:
    assert set(FLAGS) == set(Option)
    partial = Conflict("wait, or ask for a partial dataset", option=Option.PARTIAL)
    assert told(partial) == "wait, or ask for a partial dataset (--partial)"
    assert told(Conflict("wait")) == "wait"
    asked = SpecError("prompts", "nothing is asked", option=Option.PROMPTS)
    answered = problem_of(asked)
    assert answered.detail == "prompts: nothing is asked (spec.prompts)"
    assert answered.params["option"] == "spec.prompts"
    # Of what nobody can ask there, nothing is said.
    passed = problem_of(SourceError("photos", "passed over: 1 .psd", option=Option.STRICT))
    assert passed.detail == "photos: passed over: 1 .psd"
    assert "option" not in passed.params


def test_a_problem_carries_the_whole_count_of_a_capped_sentence() -> None:
    many = "".join(f"{number},verb,b\n" for number in range(9))
    with pytest.raises(SourceError, match="and 4 more lines") as refused:
        table.read(f"word,kind,english\n{many}", "words.csv")
    params = problem_of(refused.value).params
    assert (params["line"], params["count"]) == (2, 9)
