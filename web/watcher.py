"""One pair of eyes a process: the batches that go on, read for all who listen at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from db import seen
from db.seen import SeenBatch
from producer.pool import Pool

#: Seconds after which a snapshot is read anew if somebody asks.
_MAX_AGE_SECONDS = 0.25

#: Seconds for which a batch that ended is still told.
_TOLD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The batches that go on at one moment, and those that ended a moment ago."""

    batches: tuple[SeenBatch, ...] = ()
    read_at: float = float("-inf")


@dataclass
class Watcher:
    """Reads rows only while somebody asks, and once for all of them."""

    pool: Pool
    _snapshot: Snapshot = Snapshot()
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _live: dict[UUID, float] = field(default_factory=dict)

    async def latest(self) -> Snapshot:
        """A snapshot that is at most a quarter of a second old.

        Raises:
            Unreachable: The database is away.
        """
        async with self._lock:
            if time.monotonic() - self._snapshot.read_at > _MAX_AGE_SECONDS:
                self._snapshot = await asyncio.to_thread(self._read)
            return self._snapshot

    def _read(self) -> Snapshot:
        now = time.monotonic()
        lately = [one for one, at in self._live.items() if now - at < _TOLD_SECONDS]
        with self.pool.database.read() as session:
            found = seen.live(session, lately)
        ended = {one: self._live[one] for one in lately}
        going_on = {one.batch_id: now for one in found if not one.progress.ended}
        self._live = ended | going_on
        return Snapshot(tuple(found), now)


def _watcher(request: Request) -> Watcher:
    found: Watcher = request.app.state.watcher
    return found


#: The process's watcher, as a parameter of a route.
Watched = Annotated[Watcher, Depends(_watcher)]
