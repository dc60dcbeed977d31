"""A pool in threads: the real dispatcher on a real Redis, and a worker that needs no images."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from typing import Self
from uuid import UUID

import redis

from db import chunks, lookup, workers
from db.session import Database
from db.workers import WorkerInfo
from maskpool import wire
from maskpool.domain import ChunkMessage, Klass
from maskpool.errors import Transient
from maskpool.ports import ObjectStore
from producer.dispatch.broker import Broker
from producer.dispatch.loop import Dispatcher
from services.plain_pool import RATE, PlainPool

LEASE_SECONDS = 3.0
WORKER_THREADS = 4


class PoolAtWork(PlainPool):
    """Works until it is left; what is in hand then stays in hand, as after a fire.

    Args:
        database: The pool's database; each thread has its own connection.
        store: Where masks go.
        redis_url: Of the broker.
        chunk_seconds: What a chunk takes.
    """

    def __init__(
        self, database: Database, store: ObjectStore, redis_url: str, *, chunk_seconds: float
    ) -> None:
        super().__init__(database, store)
        self._redis_url = redis_url
        self._chunk_seconds = chunk_seconds
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def __enter__(self) -> Self:
        parts = [self._dispatch, self._beat, *[self._work_on] * WORKER_THREADS]
        self._threads = [threading.Thread(target=self._guard, args=(part,)) for part in parts]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert self.errors == []

    def _guard(self, part: Callable[[], None]) -> None:
        try:
            part()
        except BaseException as error:  # noqa: BLE001 - told to the test at the end
            self.errors.append(error)

    def _dispatch(self) -> None:
        broker = Broker(self._redis_url)
        dispatcher = Dispatcher(
            self.database, broker, tick_seconds=0.05, lease_seconds=LEASE_SECONDS
        )
        try:
            dispatcher.run(self._stop)
        finally:
            broker.close()

    def _beat(self) -> None:
        info = WorkerInfo(self.worker_id, "at work", "cpu", "demo", WORKER_THREADS + 1, RATE)
        while not self._stop.is_set():
            with self.database.write() as session:
                workers.announce(session, info)
            self._stop.wait(0.5)

    def _work_on(self) -> None:
        client = redis.Redis.from_url(self._redis_url)
        queues = {wire.queue_name("demo", klass): klass for klass in sorted(Klass)}
        try:
            while not self._stop.is_set():
                found = client.blpop([*queues], timeout=0.2)
                if found is not None:
                    self._do(_message(found[1], queues[found[0].decode()]))
        finally:
            client.close()

    def _do(self, message: ChunkMessage) -> None:
        try:
            with self.database.write() as session:
                taken = chunks.take(
                    session,
                    message.chunk_id,
                    self.worker_id,
                    solo=message.solo,
                    lease_ms=round(LEASE_SECONDS * 1000),
                )
            if taken is None:
                return
            self._stop.wait(self._chunk_seconds)
            ended = self.upload(taken)
            if not self._stop.is_set():
                self.finish(taken, *ended)
        except Transient:  # left to its lease
            time.sleep(0.05)


def _message(raw: bytes, klass: Klass) -> ChunkMessage:
    """What Celery would hand to the task."""
    body = base64.b64decode(json.loads(raw)["body"])
    _, kwargs, _ = json.loads(body)
    return wire.from_kwargs(kwargs, model="demo", klass=klass)


def unfinished(database: Database, batch_ids: list[UUID]) -> int:
    """Jobs of some batches that have not ended."""

    with database.read() as session:
        found = [lookup.progress(session, batch_id) for batch_id in batch_ids]
    return sum(one.total - one.done - one.failed for one in found)
