"""Reading batches back from real rows and objects: order, merging, taking up, and damage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from services.plain_pool import PlainPool
from sqlalchemy import update

from db.models import JobRow
from db.session import Database
from maskpool.domain import JobState
from maskpool.errors import CorruptObject
from maskpool.ports import ObjectStore
from maskpool.reading import ReadingChanges
from producer.results import reader
from producer.results.records import ImageResult
from storage.objects import keys, open_store

COUNT = 30


@dataclass
class CountingStore:
    """What is read of a store, and how often."""

    store: ObjectStore
    reads: Counter[str] = field(default_factory=Counter)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.reads[key] += 1
        return self.store.get(key, offset, length)

    def uri(self, key: str) -> str:
        return self.store.uri(key)


@pytest.fixture
def pool(database_url: str, folder_store_url: str) -> Iterator[PlainPool]:
    database = Database(database_url)
    yield PlainPool(database, open_store(folder_store_url))
    database.close()


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are of four images: they reach from one page into the next."""
    monkeypatch.setattr(reader, "_PAGE", 7)


def done(pool: PlainPool, count: int = COUNT) -> UUID:
    batch_id = pool.submit(count)
    pool.drain()
    return batch_id


def read(pool: PlainPool, *batch_ids: UUID, skip: int = 0) -> list[ImageResult]:
    views = [reader.view(pool.database, batch_id) for batch_id in batch_ids]
    return list(reader.read_images(pool.database, pool.store, views, skip))


def change(pool: PlainPool, batch_id: UUID, seq: int, **values: object) -> None:
    place = (JobRow.batch_id == batch_id, JobRow.seq == seq)
    with pool.database.write() as session:
        session.execute(update(JobRow).where(*place).values(**values))


def key_of(pool: PlainPool, batch_id: UUID, seq: int) -> str:
    with pool.database.read() as session:
        row = session.get_one(JobRow, (batch_id, seq))
        return keys.mask_object(batch_id, row.masks_key or "")


@pytest.mark.parametrize("held_bytes", [0, 1_000, 8 * 1024 * 1024])
def test_every_image_in_order_and_each_object_once(
    pool: PlainPool, monkeypatch: pytest.MonkeyPatch, held_bytes: int
) -> None:
    monkeypatch.setattr(reader, "_HELD_BYTES", held_bytes)
    batch_id = done(pool)
    pool.store = store = CountingStore(pool.store)  # type: ignore[assignment]
    images = read(pool, batch_id)
    assert [image.seq for image in images] == list(range(COUNT))
    assert [len(image.instances) for image in images] == [2] * COUNT  # of three, one is too unsure
    assert [image.instances[0].instance.area for image in images] == [
        3 * (2 + seq % 4) for seq in range(COUNT)
    ]
    assert set(store.reads.values()) == {1}
    assert len(store.reads) == -(-COUNT // 4)


@pytest.mark.parametrize("skip", [0, 1, 7, 13, COUNT, COUNT + 1])
def test_the_rest_is_what_was_left_out_of(pool: PlainPool, skip: int) -> None:
    first, second = done(pool, 20), done(pool)
    images = read(pool, first, second)
    assert len(images) == COUNT
    pool.store = store = CountingStore(pool.store)  # type: ignore[assignment]
    assert read(pool, first, second, skip=skip) == images[skip:]
    assert bool(store.reads) == (skip < COUNT)


def test_the_fingerprint_tells_the_same_images_from_others(pool: PlainPool) -> None:
    batch_id = done(pool)

    def fingerprint(skip: int = 10, **rule: float) -> str:
        view = reader.view(pool.database, batch_id, ReadingChanges(**rule))
        return reader.read_images(pool.database, pool.store, [view], skip).fingerprint

    same = fingerprint()
    view = reader.view(pool.database, batch_id)
    stream = reader.read_images(pool.database, pool.store, [view])
    for _ in zip(range(10), stream, strict=False):
        pass
    assert stream.fingerprint == same
    assert len({same, fingerprint(9), fingerprint(11), fingerprint(threshold=0.6)}) == 4
    change(pool, batch_id, 15, masks_offset=1)
    assert fingerprint() == same, "what comes after those that were asked for does not matter"
    change(pool, batch_id, 5, state=JobState.RETRY)
    assert fingerprint() != same


def test_batches_are_merged_by_name_and_what_is_left_follows(pool: PlainPool) -> None:
    first, second, third = done(pool, 6), done(pool, 9), done(pool, 12)
    change(pool, first, 2, state=JobState.FAILED)
    change(pool, second, 7, name="other.png")
    pool.store = store = CountingStore(pool.store)  # type: ignore[assignment]
    images = read(pool, first, second, third)
    names = [f"{seq:03d}.png" for seq in (0, 1, 3, 4, 5, 2, 6)]
    assert [image.name for image in images] == [
        *names,
        "other.png",
        *(f"{seq:03d}.png" for seq in (8, 7, 9, 10, 11)),
    ]
    shared = {image.name: len(image.instances) for image in images}
    assert (shared["000.png"], shared["002.png"], shared["008.png"]) == (6, 4, 4)
    assert (shared["other.png"], shared["007.png"], shared["011.png"]) == (2, 2, 2)
    # What is left of a batch is read by the object, not by the image.
    assert max(store.reads.values()) <= 2


def test_an_object_that_is_gone_or_damaged_is_named(pool: PlainPool) -> None:
    batch_id = done(pool)
    key = key_of(pool, batch_id, 9)
    data = pool.store.get(key)
    pool.store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptObject, match=r"is damaged: its bytes do not match the SHA-256"):
        read(pool, batch_id)
    pool.store.delete([key])
    with pytest.raises(CorruptObject, match=f"the masks of batch {batch_id} are incomplete: .*was"):
        read(pool, batch_id)
    assert len(read(pool, batch_id, skip=16)) == COUNT - 16, "the others can be read"


def test_a_row_that_points_to_another_job_is_named(pool: PlainPool) -> None:
    batch_id = done(pool)
    with pool.database.read() as session:
        row = session.get_one(JobRow, (batch_id, 4))
        span = {"masks_offset": row.masks_offset, "masks_length": row.masks_length}
    change(pool, batch_id, 5, **span)
    with pytest.raises(CorruptObject, match=r"005\.png is missing from its mask object"):
        read(pool, batch_id)
    change(pool, batch_id, 5, masks_offset=None, masks_length=None)
    with pytest.raises(CorruptObject, match="is damaged"):
        read(pool, batch_id)
