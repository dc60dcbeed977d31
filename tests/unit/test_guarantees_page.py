"""docs/GUARANTEES.md promises only what a test proves: each test it names must be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "GUARANTEES.md").read_text()
PROOFS = sorted(set(re.findall(r"`(tests/\S+?\.py)::(\w+)`", PAGE)))


def test_it_names_proofs() -> None:
    assert len(PROOFS) > 5


@pytest.mark.parametrize(("path", "name"), PROOFS)
def test_a_proof_is_there(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_fault_is_on_the_page() -> None:
    there = {
        (f"tests/faults/{path.name}", node.name)
        for path in (ROOT / "tests" / "faults").glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert there <= set(PROOFS)
