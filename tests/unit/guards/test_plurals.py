"""Numbers of things are said as one and as several: by one helper, nowhere by hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskpool.text import counted

ROOT = Path(__file__).parents[3]

#: What people are told numbers of; bytes and pixels are always many.
THINGS = (
    *("attempts", "batches", "buckets", "categories", "characters", "chunks", "clerks", "columns"),
    *("files", "images", "instances", "jobs", "lines", "members", "minutes", "numbers"),
    *("objects", "prompts", "results", "rows", "tasks", "things", "times", "tokens"),
    *("uploads", "users", "words", "workers"),
)
SEVERAL = re.compile(rf" (?!has |of )(?:[a-z]+ )?({'|'.join(THINGS)})\b(?!/)")
BY_HAND = re.compile(r"\(s\)")


def by_hand(program: str) -> Iterator[int]:
    """Lines that say a number of things which may be one; limits are no such numbers."""
    for node in ast.walk(ast.parse(program)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for before, after in zip(node.values, node.values[1:], strict=False):
            if (
                isinstance(before, ast.FormattedValue)
                and isinstance(after, ast.Constant)
                and SEVERAL.match(str(after.value))
                and not _is_limit(before.value)
            ):
                yield before.lineno
        if any(isinstance(one, ast.Constant) and BY_HAND.search(one.value) for one in node.values):
            yield node.lineno


def _is_limit(number: ast.expr) -> bool:
    return any(
        (isinstance(part, ast.Name) and part.id.strip("_").isupper())
        or (isinstance(part, ast.Name) and part.id in {"limit", "limits"})
        for part in ast.walk(number)
    )


@pytest.mark.parametrize(
    "place",
    [
        *("producer/cli", "producer/integrity", "web", "clerk", "db/batches.py"),
        *("producer/arrivals.py", "producer/doctor.py", "producer/export.py", "producer/submit.py"),
        "producer/formats/parts.py",
    ],
)
def test_numbers_of_things_are_said_by_one_helper(place: str) -> None:
    there = ROOT / place
    paths = [there] if there.is_file() else sorted(there.rglob("*.py"))
    assert paths, f"{place} is not there"
    found = [
        f"{path.relative_to(ROOT)}:{line}" for path in paths for line in by_hand(path.read_text())
    ]
    assert not found, "say it by maskpool.text.counted"


def test_the_guard_tells_numbers_from_limits() -> None:
    assert list(by_hand('f"{n:,} workers alive"')) == [1]
    assert list(by_hand('f"{n} mask objects"')) == [1]
    assert list(by_hand('f"{n} worker(s)"')) == [1]
    assert not list(by_hand('f"at most {_MAX_FILES:,} files"'))
    assert not list(by_hand('f"{rate:.1f} images/s"'))


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (1, ("worker",), "1 worker"),
        (0, ("worker",), "0 workers"),
        (2_000, ("batch", "batches"), "2,000 batches"),
        (1, ("image is", "images are"), "1 image is"),
        (2, ("image is", "images are"), "2 images are"),
    ],
)
def test_one_is_no_several(count: int, words: tuple[str, ...], said: str) -> None:
    assert counted(count, *words) == said
