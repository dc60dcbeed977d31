"""Keeping the chunks in hand: one heartbeat for all of them, and the end of each lease."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from db import chunks, workers
from db.session import Database
from db.workers import WorkerInfo
from maskpool.domain import BatchState
from maskpool.errors import LeaseLost
from shell.keeping import Keeper

Result = TypeVar("Result")

log = logging.getLogger(__name__)

#: A chunk may wait this many times ``stall_seconds`` while the engine works on others.
_MAX_TURN = 10

#: Exit status of a process with a stalled chunk, for its supervisor, which starts it again.
STALLED = 70


class Holding:
    """A chunk that this worker holds: whether its results still count, and whether to go on.

    Args:
        chunk_id: The fencing token.
        deadline: On the monotonic clock; past it nothing may be written.
    """

    def __init__(self, chunk_id: UUID, deadline: float) -> None:
        self.chunk_id = chunk_id
        self._deadline = deadline
        self._lost = False
        self._stopping = False
        self._awaited: set[Future[Any]] = set()
        # Reentrant: a future that is cancelled under it takes itself out.
        self._lock = threading.RLock()
        self._progress = time.monotonic()
        self._spent = 0.0

    @property
    def spent(self) -> float:
        """The device's seconds for the chunk so far, also for what was broken off."""
        return self._spent

    @property
    def subject(self) -> str:
        """What it is, for people."""
        return f"chunk {self.chunk_id}"

    @property
    def mine(self) -> bool:
        """Whether the lease holds, as far as we know."""
        return not self._lost and time.monotonic() < self._deadline

    @property
    def go_on(self) -> bool:
        """Whether another image should be started."""
        return self.mine and not self._stopping

    @property
    def idle_seconds(self) -> float:
        """Seconds since the chunk last made progress."""
        return time.monotonic() - self._progress

    def require(self) -> None:
        """Raise if the chunk is not ours any more.

        Raises:
            LeaseLost: Drop the work.
        """
        if not self.mine:
            raise LeaseLost(f"the lease of chunk {self.chunk_id} is over")

    def wait_for(self, future: Future[Result]) -> Result:
        """Wait for the engine's answer, unless the chunk stops before the engine began.

        Raises:
            CancelledError: The chunk must stop; the engine never began.
        """
        self.expect(future)
        return future.result()

    def expect(self, future: Future[Any]) -> None:
        """Have the engine's answer cancelled if the chunk stops before the engine began."""
        with self._lock:
            self._awaited.add(future)
        future.add_done_callback(self._came)
        with self._lock:
            if self._lost or self._stopping:
                future.cancel()

    def _came(self, future: Future[Any]) -> None:
        with self._lock:
            self._awaited.discard(future)

    def spend(self, seconds: float) -> None:
        """Note what the device needed for one of the chunk's images, or for a part of it."""
        with self._lock:
            self._spent += seconds

    def made_progress(self) -> None:
        """Note that an image or an upload ended."""
        self._progress = time.monotonic()

    def stop_soon(self) -> None:
        """Finish the micro-batch in work, start no other: the batch was paused, or we shut down."""
        self._stopping = True
        self._forgo()

    def extended(self, deadline: float) -> None:
        """The database extended the lease."""
        self._deadline = deadline

    def lose(self) -> None:
        """The chunk was given to another, or cancelled."""
        self._lost = True
        self._forgo()

    def _forgo(self) -> None:
        """Cancel what waits for the engine and was not begun."""
        with self._lock:
            for future in tuple(self._awaited):
                future.cancel()


class LeaseKeeper(Keeper[Holding]):
    """Extends the leases of the chunks in hand once a heartbeat, and says that the worker lives.

    Args:
        database: The pool's database, whose clock decides when a lease is over.
        info: This worker's row; ``images_per_s`` is filled in from ``rate`` each time.
        rate: Images a second of the engine, None before it knows.
        healthy: False once the device is lost.
        quiet_seconds: Seconds since the engine last ended a micro-batch of any chunk.
        on_stall: Called when a chunk made no progress for ``stall_seconds``, or the device is lost.
    """

    def __init__(
        self,
        database: Database,
        info: WorkerInfo,
        *,
        lease_seconds: float,
        heartbeat_seconds: float,
        stall_seconds: float,
        rate: Callable[[], float | None],
        healthy: Callable[[], bool] = lambda: True,
        quiet_seconds: Callable[[], float] = lambda: math.inf,
        on_stall: Callable[[], None] = lambda: os._exit(STALLED),
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, heartbeat_seconds=heartbeat_seconds)
        self._database = database
        self._info = info
        self._stall_seconds = stall_seconds
        self._rate = rate
        self._healthy = healthy
        self._quiet_seconds = quiet_seconds
        self._on_stall = on_stall
        self._reserved: set[UUID] = set()

    def reserve(self, chunk_id: UUID) -> bool:
        """Note a chunk before it is taken; False where another thread has it, by a second message.

        A message may come twice, and the database would give the chunk to this worker again.
        """
        with self._lock:
            if chunk_id in self._reserved:
                return False
            self._reserved.add(chunk_id)
            return True

    def unreserve(self, chunk_id: UUID) -> None:
        """Undo ``reserve``: the chunk was worked on, or could not be taken."""
        with self._lock:
            self._reserved.discard(chunk_id)

    def hold(self, chunk_id: UUID, asked_at: float) -> Holding:
        """Keep a chunk that was just taken.

        Args:
            chunk_id: The chunk's id.
            asked_at: Monotonic time before the statement was sent: the lease began no earlier.
        """
        return self._keep(chunk_id, Holding(chunk_id, self._deadline(asked_at)))

    def release(self, holding: Holding) -> None:
        """Stop extending the lease of a chunk that is finished or lost."""
        self._drop(holding.chunk_id)

    def stalled(self) -> Holding | None:
        """A chunk that made no progress for so long that it never will, or None."""
        held = self._held().values()
        idlest = max(held, key=lambda one: one.idle_seconds, default=None)
        # While the engine works, or a slow server still answers for the images of another chunk,
        # a chunk may just be waiting for its turn – but not for ever.
        quiet = min([self._quiet_seconds(), *(one.idle_seconds for one in held)])
        working = quiet < self._stall_seconds
        limit = self._stall_seconds * (_MAX_TURN if working else 1)
        return idlest if idlest is not None and idlest.idle_seconds > limit else None

    def _beat(self) -> None:
        held = self._held()
        asked_at = time.monotonic()
        with self._database.write() as session:
            kept = chunks.extend(session, self._info.id, list(held), lease_ms=self.lease_ms)
            workers.announce(session, replace(self._info, images_per_s=self._rate()))
        for chunk_id, holding in held.items():
            state = kept.get(chunk_id)
            if state is None:
                holding.lose()
                continue
            holding.extended(self._deadline(asked_at))
            if state != BatchState.ACTIVE:
                holding.stop_soon()

    def _sign_off(self) -> None:
        with self._database.write() as session:
            workers.retire(session, self._info.id)

    def _watch(self) -> None:
        stalled = self.stalled()
        if not self._healthy():
            log.critical("the device or the engine is lost; the process ends, to be started again")
            self._on_stall()
        elif stalled is not None:
            log.critical(
                "chunk %s made no progress for %.0f s; the process ends, to be started again",
                stalled.chunk_id,
                stalled.idle_seconds,
            )
            self._on_stall()
