"""Who waits for a job is told by Redis, and looks by itself where nothing is heard."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from services.plain_pool import PlainPool

from db.session import Database
from maskpool.domain import new_id
from shell import redis_calls
from storage.objects import open_store
from web import waiting
from web.waiting import Waiting
from workers import tasks


@pytest.fixture
def work(sqlite_url: str, folder_store_url: str) -> PlainPool:
    return PlainPool(Database(sqlite_url), open_store(folder_store_url))


def test_a_word_on_redis_is_enough(
    work: PlainPool, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 60.0)
    batch_id = work.submit(1)

    def end() -> None:
        time.sleep(0.5)
        work.drain()
        redis_calls.say_ended(client, new_id())
        redis_calls.say_ended(client, batch_id)

    client = redis_calls.connect(redis_url)
    thread = threading.Thread(target=end)
    thread.start()
    assert asyncio.run(wait(work, redis_url, (batch_id, 0), 30)) < 20
    thread.join()
    client.close()


def test_without_redis_rows_are_looked_at(work: PlainPool) -> None:
    batch_id = work.submit(2)
    work.work(work.tick()[0])
    away = "redis://127.0.0.1:1/0"
    assert asyncio.run(wait(work, away, (batch_id, 1), 30)) < 20
    assert asyncio.run(wait(work, away, (new_id(), 0), 30)) < 20, "what is gone is not waited for"
    other = work.submit(1)
    with pytest.raises(TimeoutError):
        asyncio.run(wait(work, away, (other, 0), 0.7))


async def wait(work: PlainPool, redis_url: str, asked: Any, seconds: float) -> float:
    """Seconds until it ended."""
    watcher, began = Waiting(work.database, redis_url), time.monotonic()
    try:
        if not await watcher.word(*asked, seconds):
            raise TimeoutError
    finally:
        await watcher.close()
    return time.monotonic() - began


@pytest.mark.parametrize(("klass", "said"), [("now", 1), ("bulk", 0)])
def test_a_worker_says_what_ended_of_class_now(
    klass: str, said: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    batch_id, told = new_id(), []

    class Process:
        model = "demo"

        class pipeline:  # noqa: N801 - as an attribute
            @staticmethod
            def run(_: object) -> str:
                return "done"

        @staticmethod
        def wake() -> None: ...

        @staticmethod
        def say_ended(one: object) -> None:
            told.append(one)

    monkeypatch.setattr(tasks, "current", lambda: Process)
    request = type("Request", (), {"delivery_info": {"routing_key": f"annotate.demo.{klass}"}})
    task = type("Task", (), {"request": request})()
    kwargs = {"batch": str(batch_id), "chunk": str(new_id()), "size": 1, "solo": False}
    tasks.annotate.__wrapped__.__func__(task, **kwargs)  # as Celery binds it
    assert told == [batch_id] * said
