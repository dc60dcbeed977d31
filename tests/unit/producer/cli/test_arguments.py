"""Whatever text stands for an argument, a verb takes it or refuses it with one sentence.

Generated from the parameters of all verbs, so that a new one is tried as well.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from services.command_line import verbs

from maskpool import exits
from maskpool.glossary import Kind
from maskpool.text import readable
from producer import cli
from producer.cli import glossary
from producer.cli.verbs import PATHS, Reads

_VERBS: dict[str, Any] = dict(verbs(typer.main.get_command(cli.app)))

#: What a verb needs beside its required arguments, so that nothing is really done.
_BESIDE = {
    "doctor": ["--model", "nosuch"],
    "retry": ["--failed"],
    "rm": ["--yes"],
    "token create": ["--right", "read"],
}

#: Required parameters that take a few words only.
_CHOSEN = {"kind": "host"}

_BAD_BYTES = "caf\udce9"
_ODD = {
    "signs": "\x1b[31mred\x1b]0;title\x07\r\none\t\u202egpj\u2066 👩‍🚒🚋 e\u0301\u0301"
    " [/x][bold] '\"`$(id)",
    "long": "x" * 100_000,
    "long path": "x/" * 3_000,
    "blank": " ",
    "no text": _BAD_BYTES,
}


def _texts() -> Iterator[tuple[str, str]]:
    """Verb and parameter, for each parameter that takes a text or a path."""
    for name, verb in _VERBS.items():
        for param in verb.params:
            kind = str(param.type_descriptor.annotation)
            if param.name != "help" and ("str" in kind or "Path" in kind):
                yield name, param.name


TEXTS = sorted(_texts())


def words(verb: str, wanted: str, value: str) -> list[str]:
    """A command line with ``value`` at one parameter, and the required ones filled."""
    options, arguments = [], []
    for param in _VERBS[verb].params:
        filled = _CHOSEN.get(param.name, "x") if param.required else None
        given = value if param.name == wanted else filled
        if given is not None and param.opts[0].startswith("-"):
            options.append(f"{max(param.opts, key=len)}={given}")
        elif given is not None:
            arguments.append(given)
    return [*verb.split(), *_BESIDE.get(verb, []), *options, "--", *arguments]


def run(command: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["maskpool", *command])
    return cli._run()


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pool, no image, nothing to find."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "REDIS_URL", "STORE_URL", "HOME"):
        monkeypatch.delenv(f"MASKPOOL_{name}", raising=False)


def test_every_verb_is_of_a_kind_that_checks_its_texts() -> None:
    assert {name for name, verb in _VERBS.items() if not isinstance(verb, Reads)} == set()


def test_texts_of_many_verbs_are_tried() -> None:
    assert {("submit", "name"), ("submit", "key"), ("run", "prompt"), ("status", "batch")} <= set(
        TEXTS
    )


@pytest.mark.parametrize(("verb", "param"), [one for one in TEXTS if one[1] not in PATHS])
def test_bytes_that_are_no_text_are_refused(
    verb: str,
    param: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(words(verb, param, _BAD_BYTES), monkeypatch) == exits.BAD_INPUT
    said = capsys.readouterr().err
    names = next(one.opts for one in _VERBS[verb].params if one.name == param)
    assert re.fullmatch(r"maskpool: (\S+): .*caf\\\S*e9.* is not UTF-8, .*\n", said), said
    assert any(said.startswith(f"maskpool: {name}: ") for name in names), said


# A demo with another folder would really run.
@pytest.mark.parametrize(("verb", "param"), [one for one in TEXTS if one != ("demo", "out")])
@pytest.mark.parametrize("odd", _ODD)
def test_any_text_is_refused_in_words_or_comes_to_nothing(
    verb: str,
    param: str,
    odd: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = run(words(verb, param, _ODD[odd]), monkeypatch)
    assert code in {exits.BAD_INPUT, exits.UNREACHABLE}
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "bug in maskpool" not in said
    assert readable(said) == said
    assert len(said) < 20_000, "a panel of Typer's pads its lines"


def test_what_is_none_of_a_few_words_is_refused_in_plain_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "b", "--refine", "fine"], monkeypatch) == exits.BAD_INPUT
    said = capsys.readouterr().err
    assert "Invalid value for '--refine': 'fine' is not one of 'none', 'low'" in said


def test_the_kinds_of_words_are_those_of_the_glossary() -> None:
    assert [one.value for one in glossary._Kind] == [one.value for one in Kind]
