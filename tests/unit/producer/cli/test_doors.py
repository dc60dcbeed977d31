"""The command line is a door: it decides nothing, and nothing behind it prints."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import producer

ROOM = Path(producer.__file__).parent
DOOR = sorted((ROOM / "cli").glob("*.py"))
BEHIND = sorted(file for file in ROOM.rglob("*.py") if "cli" not in file.relative_to(ROOM).parts)

#: A transaction, or the room of statements.
DECIDES = re.compile(
    r"\.(?:read|write|snapshot)\(\)|^\s*from db\b(?!\.(?:session|schema) )", re.MULTILINE
)


@pytest.mark.parametrize("file", DOOR, ids=lambda file: file.name)
def test_the_door_opens_no_transaction(file: Path) -> None:
    assert not DECIDES.findall(file.read_text())


@pytest.mark.parametrize("file", BEHIND, ids=lambda file: str(file.relative_to(ROOM)))
def test_nothing_behind_the_door_prints(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names = {node.id} if isinstance(node, ast.Name) else set()
        if isinstance(node, ast.Attribute):
            names = (
                {node.attr} & {"stdout", "stderr"} if ast.unparse(node.value) == "sys" else set()
            )
        if isinstance(node, ast.ImportFrom):
            names = {str(node.module).split(".")[0]}
        assert not names & {"print", "stdout", "stderr", "rich", "typer"}, f"line {node.lineno}"
