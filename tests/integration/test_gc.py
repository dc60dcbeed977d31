"""The collector frees what no row names, and never anything that one names or may still name."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from services.command_line import maskpool
from services.plain_pool import PlainPool

from db import batches, integrity
from db.chunks import reap
from db.session import Database
from maskpool.domain import new_id
from maskpool.ports import ObjectStore
from producer.integrity import orphans
from producer.integrity.check import verify
from producer.integrity.orphans import Amount, collect
from storage.objects import keys, open_store
from storage.objects.folder import FolderStore

HOURS_AGO = 5 * 3600 * 1000


@pytest.fixture(params=["embedded", "team"])
def pool(request: pytest.FixtureRequest) -> Iterator[PlainPool]:
    """Both databases and both stores, as the two profiles pair them."""
    names = {
        "embedded": ("sqlite_url", "folder_store_url"),
        "team": ("postgres_url", "s3_store_url"),
    }[request.param]
    database_url, store_url = (str(request.getfixturevalue(name)) for name in names)
    endpoint = ""
    if store_url.startswith("s3:"):
        endpoint = request.getfixturevalue("s3_bucket")[0]
    database = Database(database_url)
    yield PlainPool(database, open_store(store_url, endpoint_url=endpoint))
    database.close()


def objects(store: ObjectStore) -> set[str]:
    return {one.key for one in store.list("")}


def old_id() -> UUID:
    """An id as it was made hours ago."""
    fresh = new_id().int
    return UUID(int=fresh - (HOURS_AGO << 80))


def lost_upload(pool: PlainPool, batch: UUID, chunk: UUID) -> str:
    key = keys.mask_object(batch, keys.chunk_masks_key(chunk, "0" * 64))
    pool.store.put(key, b"lost!")
    return key


def test_lost_uploads_and_removed_batches_go_and_everything_else_stays(pool: PlainPool) -> None:
    done, gone = pool.submit(5, objects=True), old_id()
    loading = pool.submit(2, activate=False)
    pool.drain()
    live = pool.submit(9)
    queued, running = pool.tick()
    uploading = pool.take(running)
    pool.upload(uploading)
    sources = [keys.source_object(one, "a/b.png") for one in (done, live, loading)]
    for key in (*sources, "doctor/probe", "masks/v1/readme.txt", "sources/notes.txt"):
        pool.store.put(key, b"kept")
    kept = objects(pool.store)
    garbage = {lost_upload(pool, done, old_id()), lost_upload(pool, gone, old_id())}
    garbage.add(keys.source_object(gone, "x/y.png"))
    pool.store.put(keys.source_object(gone, "x/y.png"), b"source")

    tried = collect(pool.database, pool.store, older_than=0, dry_run=True)
    assert objects(pool.store) == kept | garbage, "a dry run deletes nothing"
    freed = collect(pool.database, pool.store, older_than=0)
    assert objects(pool.store) == kept
    assert tried == freed
    assert (freed.masks, freed.sources) == (Amount(2, 10), Amount(1, 6))
    assert collect(pool.database, pool.store, older_than=0).total == Amount(0, 0)
    assert list(verify(pool.database, pool.store)) == []
    assert queued.batch_id == live


def test_an_upload_in_flight_is_named_by_its_chunk_until_its_rows_name_it(pool: PlainPool) -> None:
    pool.submit(4)
    [message] = pool.tick()
    taken = pool.take(message)
    content = pool.upload(taken)
    before = objects(pool.store)
    for step in (lambda: pool.finish(taken, *content), pool.tick, lambda: None):
        collect(pool.database, pool.store, older_than=0)
        assert objects(pool.store) == before
        step()
    assert list(verify(pool.database, pool.store)) == []


def test_what_a_zombie_wrote_is_garbage_once_its_chunk_is_folded(pool: PlainPool) -> None:
    batch = pool.submit(4)
    [message] = pool.tick()
    zombie = pool.take(message, lease_ms=-1)
    pool.upload(zombie)
    late = objects(pool.store)
    with pool.database.write() as session:
        assert reap.reap_one(session, 30_000)
    pool.drain()
    assert late < objects(pool.store)
    collect(pool.database, pool.store, older_than=0)
    assert not late & objects(pool.store)
    assert list(verify(pool.database, pool.store, batch)) == []


def test_a_chunk_that_finishes_between_the_two_readings_keeps_its_masks(
    pool: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order: chunks first, then jobs. The other way round this object would be deleted."""
    pool.submit(4)
    [message] = pool.tick()
    taken = pool.take(message)
    content = pool.upload(taken)
    before = objects(pool.store)
    waiting = [lambda: (pool.finish(taken, *content), pool.tick())]

    def meanwhile(name: str) -> None:
        ask = getattr(integrity, name)

        def patched(*words: object) -> object:
            answer = ask(*words)
            if waiting:
                waiting.pop()()
            return answer

        monkeypatch.setattr(integrity, name, patched)

    meanwhile("chunks_there")
    meanwhile("masks_named")
    collect(pool.database, pool.store, older_than=0)
    assert not waiting
    assert objects(pool.store) == before
    monkeypatch.undo()
    assert list(verify(pool.database, pool.store)) == []


def test_what_is_young_is_left_alone(pool: PlainPool) -> None:
    gone = new_id()
    young = {lost_upload(pool, old_id(), new_id()), lost_upload(pool, old_id(), UUID(int=1 << 100))}
    pool.store.put(keys.source_object(gone, "x.png"), b"source")
    old = lost_upload(pool, gone, old_id())
    assert collect(pool.database, pool.store).masks == Amount(1, 5)
    assert objects(pool.store) == young | {keys.source_object(gone, "x.png")}
    assert old not in objects(pool.store)


def test_many_pages_are_collected_while_they_are_listed(
    pool: PlainPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "_PAGE", 3)
    done = pool.submit(9)
    pool.drain()
    kept = objects(pool.store)
    for _ in range(5):
        lost_upload(pool, done, old_id())
        lost_upload(pool, old_id(), old_id())
    assert collect(pool.database, pool.store).masks.objects == 10
    assert objects(pool.store) == kept


def test_a_removed_batch_is_collected(pool: PlainPool) -> None:
    batch = pool.submit(5)
    pool.drain()
    pool.store.put(keys.source_object(batch, "a.png"), b"source")
    with pool.database.write() as session:
        batches.remove(session, batch)
    freed = collect(pool.database, pool.store, older_than=0)
    assert (freed.masks.objects, freed.sources) == (2, Amount(1, 6))
    assert objects(pool.store) == set()


def test_every_store_can_be_swept_of_nothing(pool: PlainPool) -> None:
    pool.store.put("masks/v1/readme.txt", b"kept")
    assert list(pool.store.sweep(0.0)) == []
    assert objects(pool.store) == {"masks/v1/readme.txt"}


def test_half_written_files_go_when_their_writer_is_long_dead(
    sqlite_url: str, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "objects")
    store.put("masks/v1/readme.txt", b"kept")
    database = Database(sqlite_url)
    fresh = store.root / "masks" / "v1" / f"{keys.TEMPORARY}fresh"
    stale = store.root / "sources" / "x" / f"{keys.TEMPORARY}stale"
    stale.parent.mkdir(parents=True)
    for path in (fresh, stale):
        path.write_bytes(b"half")
    os.utime(stale, (time.time() - 3700,) * 2)
    assert collect(database, store, older_than=0, dry_run=True).leftovers == Amount(1, 4)
    assert stale.exists()
    assert collect(database, store, older_than=7200).leftovers == Amount(0, 0)
    assert collect(database, store, older_than=0).leftovers == Amount(1, 4)
    assert fresh.exists()
    assert not stale.parent.exists(), "an empty folder goes too"
    database.close()


def test_the_command_line_says_what_it_freed(
    sqlite_url: str, folder_store_url: str, tmp_path: Path
) -> None:
    database = Database(sqlite_url)
    pool = PlainPool(database, open_store(folder_store_url))
    garbage = lost_upload(pool, old_id(), old_id())
    database.close()
    environment = {
        "MASKPOOL_DATABASE_URL": sqlite_url,
        "MASKPOOL_STORE_URL": folder_store_url,
        "MASKPOOL_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    tried = maskpool("gc", "--dry-run", "--json", env=environment)
    assert tried.returncode == 0, tried.stderr
    report = json.loads(tried.stdout)
    assert (report["dry_run"], report["masks"]) == (True, {"objects": 1, "bytes": 5})
    assert objects(pool.store) == {garbage}
    spared = maskpool("gc", "--older-than", "2d", env=environment)
    assert "freed 0 B: 0 of 1 object\n" in spared.stdout
    freed = maskpool("gc", env=environment)
    assert "freed 5 B: 1 of 1 object\n" in freed.stdout
    assert objects(pool.store) == set()
    refused = maskpool("gc", "--older-than", "soon", env=environment)
    assert (refused.returncode, "--older-than" in refused.stderr) == (2, True)
