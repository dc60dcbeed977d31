"""Text of any kind through whole verbs: paths that are not UTF-8, short ids, output that breaks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes
from uuid import UUID

import pytest
import typer.main
from PIL import Image
from services.command_line import verbs
from services.plain_pool import PlainPool
from sqlalchemy import select, update

from db import teams
from db.models import BatchRow, JobRow
from maskpool import exits
from maskpool.errors import ConfigError, NotFound, SourceError, SpecError
from maskpool.settings import Settings
from maskpool.spec_file import asked as asked_for
from producer import batches, cli, submit
from producer.cli.verbs import Works
from producer.pool import Pool
from producer.submission import prepare
from storage.images.fetch import Fetcher

#: Latin-1, with signs that a URL would take for its own.
FOLDER = os.fsdecode(b"caf\xe9 %41#?")

TEAM = "street"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / FOLDER
    folder.mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "a.png")
    (folder / "list.txt").write_text("a.png\n")
    (folder / "list.jsonl").write_text('{"uri": "a.png", "name": "Größe 🚋.png"}\n')
    return folder


def allowing(pool: Pool, root: Path) -> Pool:
    return Pool(pool.settings.model_copy(update={"source_roots": (root,)}), pool.database)


@pytest.mark.parametrize("source", ["", "*.png", "a.png", "list.txt", "list.jsonl"])
def test_a_source_in_a_folder_that_is_not_utf_8(pool: Pool, images: Path, source: str) -> None:
    pool = allowing(pool, images.parent)
    asked = prepare(pool.settings, str(images / source), asked_for(None, ["a"]))
    done = submit.submit(pool, asked)
    again = submit.submit(pool, asked)
    assert (done.total, done.created, again.created) == (1, True, False)
    with pool.database.read() as session:
        job = session.execute(select(JobRow).where(JobRow.batch_id == done.batch_id)).scalar_one()
        batch = session.execute(select(BatchRow).where(BatchRow.id == done.batch_id)).scalar_one()
        uri, kept, name = job.image_uri, batch.source, batch.name
    assert uri.isascii()
    assert unquote_to_bytes(kept) == os.fsencode(images / source)
    assert name == (source or "caf%E9%20%2541%23%3F")
    assert Fetcher(pool.store(), pool.settings).fetch(uri).image.shape == (8, 8, 3)
    assert pool.find(name) == done.batch_id


def test_an_image_whose_name_is_no_text_is_refused(pool: Pool, images: Path) -> None:
    pool = allowing(pool, images.parent)
    shutil.copy(images / "a.png", images / os.fsdecode(b"b\xe9.png"))
    asked = prepare(pool.settings, str(images), asked_for(None, ["a"]))
    with pytest.raises(SourceError, match=r"b\\+xe9.png' is not valid UTF-8; rename the file"):
        submit.submit(pool, asked)
    assert batches.recent(pool, limit=5) == []


@pytest.mark.parametrize("field", ["name", "key"])
@pytest.mark.parametrize("text", ["caf\udce9", "a\0b", "x" * 501])
def test_a_text_that_no_row_can_keep_is_refused(
    pool: Pool, images: Path, field: str, text: str
) -> None:
    with pytest.raises(SpecError, match=f"^{field}: "):
        prepare(
            allowing(pool, images.parent).settings,
            str(images),
            asked_for(None, ["a"]),
            **{field: text},  # type: ignore[arg-type]
        )


def test_an_owner_that_no_row_can_keep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKPOOL_OWNER", raising=False)
    monkeypatch.setenv("LOGNAME", "caf\udce9")
    with pytest.raises(ConfigError, match=r"MASKPOOL_OWNER: .* is not UTF-8"):
        _ = Settings().owner_name


def test_a_batch_is_found_by_the_end_of_its_id_that_tables_show(
    pool: Pool, work: PlainPool
) -> None:
    first, second = work.submit(1), work.submit(1)
    for batch_id in (first, second):
        assert pool.find(batch_id.hex[-8:]) == batch_id
        assert pool.find(batch_id.hex[-8:].upper()) == batch_id
    twin = UUID(int=(first.int ^ (1 << 100)))
    with pool.database.write() as session:
        session.execute(update(BatchRow).where(BatchRow.id == second).values(id=twin))
    with pytest.raises(NotFound, match=r"means several batches; write the id: .*-.* or .*-.*") as e:
        pool.find(first.hex[-8:])
    assert str(first) in str(e.value)
    assert str(twin) in str(e.value)


READING: dict[str, tuple[str, ...]] = {
    "ls": (),
    "status": ("{batch}",),
    "results": ("{batch}",),
    "export": ("{batch}", "-o", "-"),
    "eval": ("{truth}", "{truth}"),
    "doctor": ("--deep",),
    "schema": (),
    "user ls": (),
    "team ls": (),
    "token ls": ("--user", "ann"),
    "grant ls": ("{team}",),
    "glossary ls": (),
    "glossary export": (),
}


def test_all_reading_verbs_are_tried() -> None:
    found = verbs(typer.main.get_command(cli.app))
    assert {name for name, one in found if not isinstance(one, Works)} == READING.keys()


@pytest.fixture
def desk(sqlite_url: str, folder_store_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a pool with one batch that is done."""
    return {
        **os.environ,
        "MASKPOOL_DATABASE_URL": sqlite_url,
        "MASKPOOL_STORE_URL": folder_store_url,
        "MASKPOOL_REDIS_URL": "redis://127.0.0.1:1/0",
        "MASKPOOL_SOURCE_ROOTS": str(tmp_path),
    }


def broken(command: list[str], desk: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A verb whose output nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return subprocess.run(
        [sys.executable, "-P", "-m", "producer.cli", *command],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env=desk,
        check=False,
    )


def coco(folder: Path) -> Path:
    """A file that both sides of a score can be."""
    square = {"size": [4, 4], "counts": [0, 16]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 4, "height": 4}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "segmentation": square,
                "area": 16,
                "bbox": [0, 0, 4, 4],
                "iscrowd": 0,
                "score": 0.9,
            }
        ],
    }
    file = folder / "truth.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("verb", READING)
def test_a_reading_verb_without_a_reader_ends_with_141(
    verb: str, pool_of_one: tuple[dict[str, str], UUID], tmp_path: Path
) -> None:
    desk, batch_id = pool_of_one
    fill = {"batch": batch_id, "truth": coco(tmp_path), "team": TEAM}
    words = [one.format_map(fill) for one in READING[verb]]
    done = broken([*verb.split(), *words], desk)
    assert done.returncode == exits.OUTPUT_CLOSED, done.stderr
    assert "maskpool: " not in done.stderr


@pytest.fixture
def pool_of_one(
    desk: dict[str, str], sqlite_url: str, folder_store_url: str
) -> tuple[dict[str, str], UUID]:
    from db.session import Database
    from storage.objects import open_store

    database = Database(sqlite_url)
    work = PlainPool(database, open_store(folder_store_url))
    batch_id = work.submit(2)
    work.drain()
    with database.write() as session:
        teams.create(session, TEAM)
    database.close()
    return desk, batch_id


def test_a_submit_without_a_reader_is_done(images: Path, desk: dict[str, str]) -> None:
    done = broken(["submit", str(images), "-p", "a", "--json"], desk)
    assert done.returncode == exits.OK, done.stderr
    told = subprocess.run(
        [sys.executable, "-P", "-m", "producer.cli", "ls", "--json"],
        capture_output=True,
        env=desk,
        check=True,
    )
    assert [one["state"] for one in json.loads(told.stdout)] == ["active"]
