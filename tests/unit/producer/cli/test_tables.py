"""Every table of every verb can be read at 80 columns: no long line, no broken header."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from maskpool.domain import BatchState, Klass, Priority, Progress, new_id
from producer import cli
from producer.cli import render
from producer.cli.tables import SHORT_ID, Column, shorten

LONG = (
    "a batch/of pictures from the harbour, taken in the rain – 自転車 e\u0301cole 🚋 [/x] 0042.jpg"
)
SENTENCE = f"the file /data/{'deep/' * 12}{LONG} is no image, " * 3

_MODULES = [
    import_module(f"producer.cli.{one.name}")
    for one in iter_modules(cli.__path__)
    if one.name != "__main__"
]

#: Each table's columns; a new one is found by itself.
TABLES = {
    f"{module.__name__.rsplit('.', 1)[-1]}.{name}": value
    for module in _MODULES
    for name, value in vars(module).items()
    if isinstance(value, tuple) and value and isinstance(value[0], Column)
}


def content(column: Column) -> object:
    if column.title in {"id", "batch"}:
        return new_id()
    if column.right:
        return "1,234,567"
    if column.wraps:
        return SENTENCE
    return LONG if column.least else {"state": "cancelled"}.get(column.title, "40000×30000")


def printed(
    capsys: pytest.CaptureFixture[str],
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    *,
    wide: bool = False,
) -> list[str]:
    render.print_table("", columns, rows, wide=wide)
    return capsys.readouterr().out.splitlines()


def test_every_table_is_drawn_from_columns_that_are_found() -> None:
    calls = re.findall(
        r"print_table\(\s*[^,]+,\s*([^,]+),", "".join(inspect.getsource(one) for one in _MODULES)
    )
    named = {word for call in calls for word in re.findall(r"_?[A-Z_]{3,}", call)}
    assert named
    assert named <= {name.split(".")[1] for name in TABLES}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_fits(
    name: str,
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    columns = TABLES[name]
    lines = printed(capsys, columns, [[content(column) for column in columns]] * 2)
    assert max(map(cell_len, lines)) <= width
    titles = [column.title for column in columns if column.title]
    left = [title for title in titles if re.search(rf"(^|  ){re.escape(title)}( |$)", lines[0])]
    unbroken = re.split(r"\s{2,}", lines[0].strip())
    assert left == unbroken, "what is in the header is a whole title"
    kept = {column.title for column in columns if not column.drop and column.title}
    assert kept <= set(left)
    if width == 120:
        assert left == titles


@pytest.mark.parametrize("name", TABLES)
def test_wide_shows_all(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    columns = TABLES[name]
    row = [content(column) for column in columns]
    header, line = printed(capsys, columns, [row], wide=True)
    for column, value in zip(columns, row, strict=True):
        assert column.title in header
        assert str(value).strip() in line


@pytest.mark.parametrize("columns", ["", "0", "-5", "many", "1", "7", "10000"])
def test_any_setting_of_columns_gives_a_table(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    wanted = {"1": 20, "7": 20, "10000": 10_000}.get(columns, 80)
    lines = printed(capsys, render.BATCH_COLUMNS, [render.batch_row(a_batch())])
    assert max(map(cell_len, lines)) <= wanted
    assert "".join(lines).strip()


def test_off_a_terminal_the_width_is_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((213, 50)))
    assert (render.console.width, render.errors.width) == (80, 80)


def a_batch(**changes: object) -> Progress:
    fields: dict[str, object] = {
        "batch_id": UUID("01a220c3-8290-7251-80ce-3c538265d30a"),
        "name": LONG,
        "owner": "somebody.with.a.long.name@example.org",
        "state": BatchState.CANCELLED,
        "klass": Klass.BULK,
        "priority": Priority.NORMAL,
        "model": "demo",
        "total": 1_000_000,
        "loaded": 1_000_000,
        "done": 999_000,
        "failed": 999,
        "gpu_seconds": 123_456.7,
        "created_at_ms": 0,
        "finished_at_ms": None,
    }
    return Progress(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_id_is_shown_by_its_random_end(capsys: pytest.CaptureFixture[str]) -> None:
    _, line = printed(capsys, render.BATCH_COLUMNS, [render.batch_row(a_batch())])
    assert line.startswith("8265d30a  a bat")
    assert "42.jpg" in line, "the end of a name tells more than its middle"


def test_ids_of_one_moment_end_in_another_way() -> None:
    ends = {new_id().hex[-SHORT_ID:] for _ in range(1_000)}
    assert len(ends) == 1_000


def test_a_cell_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b[2J\x1b]0;title\x07\r\n\u202egpj"
    _, *lines = printed(capsys, TABLES["results._FAILURES"], [(evil, evil)])
    text = "".join(lines)
    assert text.isprintable()
    assert r"a\x1b[2J" in text.replace(" ", "")


def test_a_style_survives_shortening(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, (Column("name", least=4),), [[Text("x" * 500, "red")]])
    assert max(map(cell_len, lines)) <= 80


@given(st.text(), st.integers(0, 30))
def test_a_text_is_shortened_to_its_room(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cell_len(short) <= width
    assert short == text or width == 0 or "…" in short


def test_the_middle_gives_way() -> None:
    assert shorten("holiday/2026/IMG_0001.jpg", 11) == "holid…1.jpg"
    assert shorten("自転車自転車", 5) == "自…車"
