"""What lies in a worker's lists without having been sent by a dispatcher: dropped, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hostile.messages import (
    QUEUE,
    broken_envelopes,
    hostile_messages,
    kwargs_of,
    message,
)
from hostile.pool import SPEC, HostilePool, hostile_pool
from PIL import Image as Pillow

from db import workers
from db.models import ChunkRow
from db.workers import WorkerInfo
from maskpool.domain import ChunkMessage, ChunkState, JobState, new_id
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def pool(
    postgres_url: str, folder_store_url: str, redis_url: str, tmp_path: Path
) -> Iterator[HostilePool]:
    Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with hostile_pool(postgres_url, folder_store_url, redis_url, tmp_path) as pool:
        yield pool


def test_a_chunk_of_another_model_is_left_to_its_workers(pool: HostilePool, tmp_path: Path) -> None:
    info = WorkerInfo(new_id(), "elsewhere", "cpu", "sam3", 3, 1.0)
    with pool.database.write() as session:
        workers.announce(session, info)
    spec = BatchSpec.read({"model": "sam3", "prompts": [{"text": "a"}]})
    batch, (sent,) = _queued_but_not_sent(pool, tmp_path, spec=spec)

    _feed(pool, [("another model's chunk", message(kwargs_of(batch, sent.chunk_id)))])

    pool.until(lambda: "names another batch or model" in pool.last_words(), 30, "the refusal")
    with pool.database.read() as session:
        chunk = session.get_one(ChunkRow, sent.chunk_id)
        assert (chunk.state, chunk.worker) == (ChunkState.QUEUED, None)
    _still_works(pool, tmp_path)


def test_hostile_messages_are_dropped(pool: HostilePool, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    batch, held_back = _queued_but_not_sent(pool, tmp_path)
    other, _ = _queued_but_not_sent(pool, tmp_path)
    chunk = held_back[0].chunk_id

    _feed(pool, hostile_messages(canary, batch, chunk, other))

    assert not canary.exists()
    assert {job.state for one in (batch, other) for job in pool.jobs(one)} == {JobState.WAITING}
    _still_works(pool, tmp_path)


def test_entries_that_are_no_messages_are_dropped(pool: HostilePool, tmp_path: Path) -> None:
    _feed(pool, broken_envelopes())
    _still_works(pool, tmp_path)


def test_what_is_sent_to_all_workers_at_once_is_dropped(pool: HostilePool, tmp_path: Path) -> None:
    """Remote control: nobody takes it from a list, every worker hears it."""
    number = pool.redis.connection_pool.connection_kwargs.get("db") or 0
    channel = f"/{number}.celery.pidbox"
    for what, data in broken_envelopes():
        # Celery stops listening for a moment where it stumbles over what a control message says.
        pool.until(lambda data=data: pool.redis.publish(channel, data), 30, f"listening to {what}")
    pool.until(lambda: "pidbox is no JSON; dropped" in pool.log.read_text(), 30, "the first")
    _still_works(pool, tmp_path)


def _queued_but_not_sent(
    pool: HostilePool, folder: Path, spec: BatchSpec = SPEC
) -> tuple[UUID, list[ChunkMessage]]:
    messages: list[ChunkMessage] = []
    batch = pool.submit(_manifest(folder), spec=spec)
    tick(pool.database, messages.extend)
    assert [one.batch_id for one in messages] == [batch]
    return batch, messages


def _feed(pool: HostilePool, messages: Iterable[tuple[str, bytes]]) -> None:
    """One after the other: who ends the worker is the one that is named, or the one before it."""
    pool.publish = lambda _: None
    for what, data in messages:
        pool.redis.lpush(QUEUE, data)
        pool.until(lambda: pool.waiting() == 0, 30, f"{what} taken")


def _still_works(pool: HostilePool, folder: Path) -> None:
    pool.publish = pool.publisher.publish
    batch = pool.submit(_manifest(folder))
    pool.run(batch, 60)
    assert [job.state for job in pool.jobs(batch)] == [JobState.DONE]
    assert pool.worker.poll() is None
    assert len(pool.worker_names()) == 1


def _manifest(folder: Path) -> Path:
    path = folder / "one.jsonl"
    path.write_text(json.dumps({"uri": "a.png"}))
    return path
