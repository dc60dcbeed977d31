"""Nobody reads images of others by naming the pool's own store: not at submit, not in a worker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from db import jobs
from db.session import Database
from maskpool.domain import new_id
from maskpool.errors import ImageError, SourceError
from maskpool.ports import ObjectStore
from maskpool.settings import Settings, load_settings
from maskpool.spec_file import asked as asked_for
from producer import submit
from producer.pool import Pool
from producer.submission import prepare
from storage.images.fetch import Fetcher
from storage.objects import open_store

#: A batch of somebody else; always the same, as it stands in names of tests.
OTHERS = UUID("01a22000-0000-7000-8000-0000000000aa")

#: Below the store: what belongs to others, or to nobody.
KEYS = (
    f"sources/{OTHERS}/a.png",
    f"uploads/{OTHERS}/a.png",
    f"thumbs/{OTHERS}/0-view.png",
    "exports/a.png",
    "masks/v1/a.png",
    f"./sources/../sources/{OTHERS}/a.png",
)


@pytest.fixture
def pool(sqlite_url: str, store_url: str, tmp_path: Path) -> Pool:
    (tmp_path / "photos").mkdir()
    bucket = store_url.removeprefix("s3://").partition("/")[0]
    settings = load_settings(
        database_url=sqlite_url,
        store_url=store_url,
        redis_url="redis://127.0.0.1:1/0",
        owner="eve",
        source_buckets=(bucket,) if store_url.startswith("s3:") else (),
        source_roots=(tmp_path,),
    )
    pool = Pool(settings, Database(sqlite_url))
    for key in KEYS[:-1]:
        pool.store().put(key, png(tmp_path))
    return pool


def png(folder: Path) -> bytes:
    Image.new("RGB", (8, 8)).save(folder / "photos" / "own.png")
    return (folder / "photos" / "own.png").read_bytes()


def listed(folder: Path, uri: str) -> str:
    path = folder / "photos" / "list.jsonl"
    path.write_text("".join(json.dumps({"uri": one}) + "\n" for one in ("own.png", uri)))
    return str(path)


def send(pool: Pool, source: str) -> UUID:
    return submit.submit(pool, prepare(pool.settings, source, asked_for(None, ["a"]))).batch_id


@pytest.mark.parametrize("key", KEYS)
def test_a_line_of_a_list_is_refused(pool: Pool, tmp_path: Path, key: str) -> None:
    with pytest.raises(
        SourceError, match=r"line 2(\)|: the name) .*(lies in the pool's own store|has a part)"
    ):
        send(pool, listed(tmp_path, f"{pool.settings.store_url}/{key}"))
    with pool.database.read() as session:
        assert jobs.count_by_state(session, OTHERS) == {}


@pytest.mark.parametrize("form", ["%73ources/{}/a.png", "x/%2e%2e/sources/{}/a.png"])
def test_escapes_do_not_hide_it(pool: Pool, tmp_path: Path, form: str) -> None:
    with pytest.raises(SourceError, match="lies in the pool's own store"):
        send(pool, listed(tmp_path, f"{pool.settings.store_url}/{form.format(OTHERS)}"))


@pytest.mark.parametrize("key", [*KEYS, f"sources/{OTHERS}", "uploads/", "masks"])
def test_the_source_itself_is_refused(pool: Pool, key: str) -> None:
    url = pool.settings.store_url
    sources = (
        [f"{url}/{key}"] if url.startswith("s3:") else [f"{url.removeprefix('file://')}/{key}"]
    )
    for source in sources:
        with pytest.raises(SourceError, match="lies in the pool's own store"):
            send(pool, source)


def test_links_are_resolved(sqlite_url: str, folder_store_url: str, tmp_path: Path) -> None:
    photos, store = tmp_path / "photos", open_store(folder_store_url)
    photos.mkdir()
    store.put(KEYS[0], png(tmp_path))
    settings = Settings(
        database_url=sqlite_url,  # type: ignore[arg-type]
        store_url=folder_store_url,
        redis_url="redis://127.0.0.1:1/0",  # type: ignore[arg-type]
    )
    pool = Pool(settings, Database(sqlite_url))
    (tmp_path / "alias").symlink_to(tmp_path / "store" / "sources")
    (photos / "linked.png").symlink_to(tmp_path / "store" / KEYS[0])
    for source in (
        listed(tmp_path, "linked.png"),
        listed(tmp_path, f"{tmp_path}/alias/{OTHERS}/a.png"),
        str(tmp_path / "alias" / str(OTHERS)),
        str(photos / "linked.png"),
        f"{tmp_path}/alias/*/*.png",
    ):
        with pytest.raises(SourceError, match="lies in the pool's own store"):
            send(pool, source)


@pytest.mark.parametrize("key", KEYS)
def test_a_worker_opens_none_of_it(pool: Pool, key: str) -> None:
    """Also where the row was written past us, as whoever has the database's password can."""
    store: ObjectStore = pool.store()
    fetcher, mine = Fetcher(store, pool.settings), new_id()
    for batch_id in (mine, None):
        if key.startswith("uploads/"):
            assert fetcher.read(store.uri(key), batch_id)
        else:
            with pytest.raises(ImageError, match=r"is no image of this batch|is no object"):
                fetcher.read(f"{store.url}/{key}", batch_id)
    if key.startswith("sources/"):
        assert fetcher.read(store.uri(key), OTHERS)


def test_a_submit_that_was_cut_off_goes_on(pool: Pool, tmp_path: Path) -> None:
    asked = prepare(pool.settings, listed(tmp_path, "./own.png"), asked_for(None, ["a"]))
    source: Any = asked.source
    ground = replace(source.ground, path=tmp_path / "photos" / "one.txt")
    asked = replace(asked, source=replace(source, ground=ground))
    (tmp_path / "photos" / "one.txt").write_text('{"uri": "own.png"}\n')
    first = submit.submit(pool, asked)
    assert submit.submit(pool, asked).batch_id == first.batch_id
    with pool.database.read() as session:
        [job] = jobs.page(session, first.batch_id)
    assert Fetcher(pool.store(), pool.settings).read(job.image_uri, first.batch_id)
