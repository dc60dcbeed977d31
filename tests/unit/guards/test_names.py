"""Names of our modules in strings and prose: no import checks them, so this does."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("maskpool", "db", "storage", "shell", "producer", "workers", "web", "clerk", "training")

#: A dotted name of ours, perhaps with Celery's ``:Class``; no part of a path or a longer word.
DOTTED = re.compile(rf"(?<![\w./:@-])(?:{'|'.join(ROOMS)})(?:\.[A-Za-z_]\w*)+(?::\w+)?(?![\w/-])")

#: A path below a room or a folder of ours.
PATH = re.compile(
    rf"(?<![\w./~-])(?:{'|'.join(ROOMS)}|tests|bench|samples|docs)(?:/[\w.-]*\w|/(?=[`\s)]))+/?"
)

#: What looks like a module's name and is a file's, a pool's or a word of SQL.
NO_MODULES = {
    "shell.js",  # of the pages
    "maskpool.try",  # what a page keeps in its browser
    "maskpool.sqlite",
    "maskpool.dump",
    "maskpool.db",  # of a layout that an ADR rejects, as the next two
    "maskpool.db.X",
    "db.X",
    "clerk.run",  # a task of Celery's
    "web.jpg",
    "producer.x",  # loggers of a test, as the next
    "workers.x",
}
#: What looks like a path of this repository and is an example, or lies in a volume or a bucket.
NO_PATHS = {
    "bench/results/DATE-MACHINE.json",
    "maskpool/health",
    "maskpool/maskpool.sqlite",
    "maskpool/pool",
    "producer/formats/yours.py",
    "maskpool/db",  # of a layout that an ADR rejects
}


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("the files of this repository are known to git only, and there is none here")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def _strings(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(file.read_text().splitlines(), start=1)


def _names_in(body: list[ast.stmt]) -> Iterator[str]:
    """What a module or class defines or imports, also within ``if`` and ``with``."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name for alias in aliases)
            case ast.Assign(targets=targets):
                parts = (part for target in targets for part in ast.walk(target))
                yield from (part.id for part in parts if isinstance(part, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If(body=inner) | ast.With(body=inner) | ast.Try(body=inner):
                yield from _names_in(inner)


@cache
def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _exists(name: str) -> bool:
    """Whether a dotted name is a module, or a name in one, or a member of a class in one."""
    words = name.replace(":", ".").split(".")
    place = ROOT
    while words and ((place / words[0]).is_dir() or (place / f"{words[0]}.py").is_file()):
        place = place / words.pop(0)
    if not words:
        return True
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return file.is_file() and _defines(_module(file).body, words)


def _defines(body: list[ast.stmt], words: list[str]) -> bool:
    if words[0] not in set(_names_in(body)):
        return False
    inner = [one for one in body if isinstance(one, ast.ClassDef) and one.name == words[0]]
    # A member of what is imported or assigned is beyond what a string's guard can know.
    return len(words) == 1 or not inner or _defines(inner[0].body, words[1:])


def _wrong_names(file: Path) -> list[str]:
    said = _strings(file) if file.suffix == ".py" else _lines(file)
    return [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for line, text in said
        for name in DOTTED.findall(text)
        if name not in NO_MODULES and not _exists(name)
    ]


@pytest.mark.parametrize("name", ["workers.nowhere", "workers.app:gone", "db.chunks.Taken.no"])
def test_a_wrong_name_is_noticed(name: str) -> None:
    assert DOTTED.findall(f"celery -A {name} worker") == [name]
    assert not _exists(name)


def test_modules_named_in_strings_exist() -> None:
    files = [file for file in _tracked("*.py") if file != Path(__file__)]
    assert len(files) > 200
    assert [wrong for file in files for wrong in _wrong_names(file)] == []


def test_modules_named_in_prose_and_recipes_exist() -> None:
    files = _tracked("*.md", "*.yml", "*.toml", "*.ini", "Makefile", "Dockerfile", ".ci/run")
    assert len(files) > 20
    assert [wrong for file in files for wrong in _wrong_names(file)] == []


def test_paths_named_in_prose_exist() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {path}"
        for file in _tracked("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/*.md")
        for line, text in _lines(file)
        for path in (found.rstrip("/") for found in PATH.findall(text))
        if path not in NO_PATHS and not (ROOT / path).exists()
    ]
    assert wrong == []
