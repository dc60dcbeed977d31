"""One pair of eyes a process: batches, read for all who ask about them at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db import seen
from db.seen import SeenBatch, WholeBatch
from producer.pool import Pool

#: Seconds after which rows are read anew if somebody asks.
_MAX_AGE_SECONDS = 0.25

#: Seconds for which a batch that ended is still told.
_TOLD_SECONDS = 60.0

#: Methods that change nothing.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The batches that go on at one moment, and those that ended a moment ago.

    Attributes:
        texts: What is told of them, by those who may hear it; so that it is written once.
    """

    batches: tuple[SeenBatch, ...] = ()
    texts: dict[object, str] = field(default_factory=dict)


class Written(NamedTuple):
    """An answer as it is sent."""

    etag: str
    body: bytes


@dataclass(slots=True)
class Look:
    """One batch at one moment.

    Attributes:
        written: What is answered; kept by whoever writes it first.
    """

    batch: WholeBatch
    written: Written | None = None


class Watcher:
    """Reads rows only while somebody asks, and once for all of them.

    What it knows is at most a quarter of a second old, and never older than the last request of
    this process that may have changed something.

    Args:
        pool: Whose batches.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._changed_at = _NEVER
        self._snapshot, self._snapshot_at = Snapshot(), _NEVER
        self._live: dict[UUID, float] = {}
        self._telling = asyncio.Lock()
        self._looks: dict[UUID, Look | None] = {}
        self._looks_at = _NEVER
        self._wanted: set[UUID] = set()
        self._looking = asyncio.Lock()

    async def latest(self) -> Snapshot:
        """Everybody's batches that go on; the same object as before where nothing changed.

        Raises:
            Unreachable: The database is away.
        """
        async with self._telling:
            if not self._holds(self._snapshot_at):
                began = time.monotonic()
                found = await asyncio.to_thread(self._read_live, began)
                if found != self._snapshot.batches:
                    self._snapshot = Snapshot(found)
                self._snapshot_at = began
            return self._snapshot

    async def batch(self, batch_id: UUID) -> Look | None:
        """One batch, whosoever it is; None where there is none, or a hidden or deleted one.

        Raises:
            Unreachable: The database is away.
        """
        self._wanted.add(batch_id)
        if not self._knows(batch_id):
            async with self._looking:
                if not self._knows(batch_id):
                    self._wanted.add(batch_id)
                    await self._look()
        return self._looks[batch_id]

    def forget(self) -> None:
        """Rows may have changed: what was read before is told to nobody who asks from now on."""
        self._changed_at = time.monotonic()

    def _holds(self, read_at: float) -> bool:
        return read_at > max(time.monotonic() - _MAX_AGE_SECONDS, self._changed_at)

    def _knows(self, batch_id: UUID) -> bool:
        return batch_id in self._looks and self._holds(self._looks_at)

    async def _look(self) -> None:
        """Read all batches that somebody asked for since they were read the last time."""
        wanted, self._wanted = self._wanted, set()
        began = time.monotonic()
        found = await asyncio.to_thread(self._read_each, wanted)
        self._looks = {one: Look(found[one]) if one in found else None for one in wanted}
        self._looks_at = began

    def _read_each(self, wanted: Collection[UUID]) -> dict[UUID, WholeBatch]:
        with self._pool.database.read() as session:
            return seen.each(session, wanted)

    def _read_live(self, now: float) -> tuple[SeenBatch, ...]:
        lately = [one for one, at in self._live.items() if now - at < _TOLD_SECONDS]
        with self._pool.database.read() as session:
            found = seen.live(session, lately)
        ended = {one: self._live[one] for one in lately}
        going_on = {one.batch_id: now for one in found if not one.progress.ended}
        self._live = ended | going_on
        return tuple(found)


class Changes:
    """Lets each request see what the ones before it changed.

    Args:
        app: What comes behind it.
        watcher: Forgets what it read before a change.
    """

    def __init__(self, app: ASGIApp, watcher: Watcher) -> None:
        self._app = app
        self._watcher = watcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._watcher.forget()
            await send(message)

        changes = scope["type"] == "http" and scope["method"] not in _SAFE
        await self._app(scope, receive, send_after if changes else send)


async def _watcher(request: Request) -> Watcher:
    found: Watcher = request.app.state.watcher
    return found


#: The process's watcher, as a parameter of a route.
Watched = Annotated[Watcher, Depends(_watcher)]
