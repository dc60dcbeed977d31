"""Only the command line talks to people; whatever lies below it returns, raises or logs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("maskpool", "db", "storage", "shell", "producer", "workers", "web", "clerk")

#: Who writes to standard output or error beside ``producer/cli``, and why. ``training`` holds
#: scripts.
ALLOWED = {
    "maskpool/health.py": "the health check's one line, for Docker and Kubernetes",
    "maskpool/logs.py": "the handler of the log, and the last word of a process",
    "shell/shutdown_words.py": "what Celery writes there at a signal, as JSON",
    "workers/try_model.py": "a process of the doctor's own, which reads the answer",
}


def _writes(tree: ast.AST) -> Iterator[int]:
    """Lines that print, or name ``sys.stdout`` or ``sys.stderr``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "pprint")):
                yield node.lineno
            case ast.Attribute(
                value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"
            ):
                yield node.lineno
            case ast.ImportFrom(module="sys", names=names) if {"stdout", "stderr"} & {
                one.name for one in names
            }:
                yield node.lineno


@pytest.mark.parametrize(
    "line", ["print(1)", "import sys; sys.stderr.write('')", "from sys import stdout"]
)
def test_output_is_noticed(line: str) -> None:
    assert list(_writes(ast.parse(line))) == [1]


def test_nothing_below_the_command_line_writes_to_the_terminal() -> None:
    found = {
        str(file.relative_to(ROOT)): lines
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        if not file.is_relative_to(ROOT / "producer" / "cli")
        and (lines := list(_writes(ast.parse(file.read_text()))))
    }
    assert found.keys() <= ALLOWED.keys(), found


@pytest.mark.parametrize("path", ALLOWED)
def test_every_exception_is_needed(path: str) -> None:
    assert list(_writes(ast.parse((ROOT / path).read_text()))), f"{path} writes nothing any more"
