"""Waiting for jobs to end, for all requests of a process at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from uuid import UUID

import redis.asyncio as redis
from anyio import to_thread
from redis.exceptions import RedisError

from db import scratch
from db.session import Database
from maskpool import wire
from maskpool.errors import MaskpoolError

log = logging.getLogger(__name__)

#: How often rows are looked at while nothing is heard.
_POLL_SECONDS = 0.5

#: And how soon the first time.
_FIRST_LOOK_SECONDS = 0.1

#: Before Redis is asked again after it was away.
_PAUSE_SECONDS = 2.0

Asked = tuple[UUID, int]

#: Which of some jobs have ended.
Ended = Callable[[Collection[Asked]], set[Asked]]


class Waiting:
    """One watcher a process; it runs while anybody waits.

    Args:
        database: Whose rows are the truth.
        redis_url: Of the broker, on which workers say what ended.
    """

    def __init__(self, database: Database, redis_url: str) -> None:
        self._database = database
        self._redis_url = redis_url
        self._waiting: dict[Asked, set[asyncio.Future[None]]] = {}
        self._look_now = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def word(self, batch_id: UUID, seq: int, seconds: float) -> bool:
        """Wait until a job may have ended, at most so long; False where nobody says so.

        Whoever hears it looks for themselves: the word may be about another job of the batch.
        """
        loop = asyncio.get_running_loop()
        asked, future = (batch_id, seq), loop.create_future()
        self._waiting.setdefault(asked, set()).add(future)
        self._run()
        # It may have ended before anybody listened.
        soon = loop.call_later(_FIRST_LOOK_SECONDS, self._look_now.set)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            soon.cancel()
            self._forget(asked, future)
        return True

    async def close(self) -> None:
        """Stop; whoever waits is answered as if the time was over."""
        tasks, self._tasks = self._tasks, ()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, asked: Asked, future: asyncio.Future[None]) -> None:
        futures = self._waiting.get(asked, set())
        futures.discard(future)
        if not futures:
            self._waiting.pop(asked, None)

    def _run(self) -> None:
        if not self._tasks or any(task.done() for task in self._tasks):
            for task in self._tasks:
                task.cancel()
            loop = asyncio.get_running_loop()
            self._tasks = (loop.create_task(self._watch()), loop.create_task(self._listen()))

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._look_now.wait()
            self._look_now.clear()
            if self._waiting:
                await self._look()

    async def _look(self) -> None:
        asked = list(self._waiting)
        try:
            over = await to_thread.run_sync(self._read, asked)
        except MaskpoolError as error:
            log.warning("cannot look whether predictions ended: %s", error)
            return
        for one in over:
            self._tell(one)

    def _tell(self, one: Asked) -> None:
        for future in self._waiting.get(one, ()):
            if not future.done():
                future.set_result(None)

    def _read(self, asked: Collection[Asked]) -> set[Asked]:
        with self._database.read() as session:
            return scratch.ended(session, asked)

    async def _listen(self) -> None:
        while True:
            try:
                client = redis.Redis.from_url(
                    wire.redis_py_url(self._redis_url),
                    socket_connect_timeout=5,
                    health_check_interval=5,
                )
                async with client, client.pubsub() as channel:
                    await channel.subscribe(wire.ENDED_CHANNEL)
                    async for message in channel.listen():
                        self._hear(message.get("data"))
            except (RedisError, OSError) as error:
                log.info("Redis is away (%s); predictions are looked for by themselves", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _hear(self, said: object) -> None:
        batch = said.decode(errors="replace") if isinstance(said, bytes) else ""
        for one in [one for one in self._waiting if str(one[0]) == batch]:
            self._tell(one)
