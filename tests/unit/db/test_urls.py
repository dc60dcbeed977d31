"""Any legal path names the database that it names, and no other file is opened in its place."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest
from hostile.paths import ALL_IN_ONE, NAMES
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url

from db import schema
from db.schema import alembic_config, upgrade
from db.session import Database
from db.urls import normalised, sqlite_url
from maskpool.errors import ConfigError

parts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1)


def make_table(url: str) -> None:
    engine = create_engine(normalised(url))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ours (a)")
    engine.dispose()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_made_where_its_path_says(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    make_table(sqlite_url(folder / "rows.sqlite"))
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found == [folder / "rows.sqlite"]


@given(parts.filter(lambda part: part not in {".", ".."}))
def test_a_url_is_read_as_the_path_that_it_was_made_of(part: str) -> None:
    path = Path("/home", part, "rows.sqlite")
    url = sqlite_url(path)
    assert make_url(normalised(url)).database == str(path)
    assert normalised(normalised(url)) == normalised(url)
    assert alembic_config(url).get_main_option("sqlalchemy.url") == normalised(url)


def test_a_path_that_is_no_text_is_opened_by_its_bytes(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 #?%20"))
    folder.mkdir()
    url = sqlite_url(folder / "rows.sqlite")
    assert url.isascii()
    make_table(url)
    assert [path.name for path in folder.iterdir()] == ["rows.sqlite"]


def test_tables_are_made_in_no_neighbours_file(tmp_path: Path) -> None:
    neighbour = tmp_path / "mine"
    rows = sqlite3.connect(neighbour)
    rows.execute("CREATE TABLE theirs (a)")
    rows.close()
    before = neighbour.read_bytes()
    for name in ("mine?v2", "mine#v2", "mine;v2", ALL_IN_ONE):
        (tmp_path / name).mkdir()
        url = sqlite_url(tmp_path / name / "rows.sqlite")
        upgrade(url)
        database = Database(url)
        with database.write():
            pass
        database.close()
        assert (tmp_path / name / "rows.sqlite").stat().st_size > 10_000
    assert neighbour.read_bytes() == before


@pytest.mark.parametrize(
    "rest",
    [
        "mine?v2/rows.sqlite",
        "mine?v=2/rows.sqlite",
        "mine?",
        "mine?timeout",
        "mine?mode=memory",
        "mine?timeout=5&v2",
        "file:mine?mode=ro",
    ],
)
@pytest.mark.parametrize("use", [Database, upgrade])
def test_a_bare_question_mark_in_a_path_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str, use: type[Database]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"MASKPOOL_DATABASE_URL: .*write '\?' as %3F"):
        use(f"sqlite:///{rest}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "rest", ["rows.sqlite", "rows.sqlite?timeout=5", "file:rows.sqlite?uri=true&mode=rwc"]
)
def test_options_of_sqlite_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_table(f"sqlite:///{rest}")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.sqlite"]


@pytest.mark.parametrize("size", [504, 505])
def test_a_path_that_sqlite_cannot_open_is_refused(tmp_path: Path, size: int) -> None:
    folder = tmp_path
    while len(str(folder)) < 400:
        folder /= "n" * 60
    folder.mkdir(parents=True)
    path = folder / ("n" * (size - len(str(folder)) - 1))
    if size <= 504:
        make_table(sqlite_url(path))
        return
    with pytest.raises(ConfigError, match="has 505 bytes, and SQLite opens none of more than 504"):
        sqlite_url(path)
    with pytest.raises(ConfigError, match="has 505 bytes"):
        Database(f"sqlite:///{path}")


def postgres_options(url: str) -> dict[str, object]:
    engine = create_engine(normalised(url))
    return dict(engine.dialect.create_connect_args(engine.url)[1])


@pytest.mark.parametrize("name", [name for name in NAMES if "," not in name])
@pytest.mark.parametrize("as_host", [True, False])
def test_any_folder_of_a_postgres_socket_is_passed_on(name: str, as_host: bool) -> None:
    folder = quote(f"/run/{name}", safe="")
    place, query = (folder, "") if as_host else ("", f"?host={folder}")
    options = postgres_options(f"postgresql://ann:pw@{place}:5433/x{query}")
    assert (options["host"], str(options["port"])) == (f"/run/{name}", "5433")
    assert (options["user"], options["dbname"]) == ("ann", "x")


def test_a_comma_at_which_postgres_would_split_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    with pytest.raises(ConfigError, match="make a link without a comma"):
        normalised(f"postgresql:///x?host={tmp_path}/a,b")
    assert postgres_options("postgresql:///x?host=/run/a,pg.org")["host"] == "/run/a,pg.org"


@pytest.mark.parametrize("name", ["100%", "%(here)s", "a b;c", "d:one"])
def test_migrations_are_found_wherever_the_package_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    head = schema.head_revision()
    (tmp_path / name).symlink_to(schema._MIGRATIONS)
    monkeypatch.setattr(schema, "_MIGRATIONS", tmp_path / name)
    assert schema.head_revision() == head
    assert upgrade(sqlite_url(tmp_path / "rows.sqlite")) == head
