"""One look a second for all who listen: only those are woken for whom there is something to do."""

from __future__ import annotations

import asyncio
import time
from threading import Event

from maskpool.errors import MaskpoolError
from web.watcher import Snapshot, Watcher

#: Seconds between two looks, and so at least between two snapshots for one listener.
_LEAST_SECONDS = 1.0

#: How soon those who listen hear that the process is to stop.
_STEP_SECONDS = 0.25


class Crier:
    """Looks while anybody listens.

    Args:
        watcher: Reads the rows.
        closing: Set when the process is to stop.
    """

    def __init__(self, watcher: Watcher, closing: Event) -> None:
        self.closing = closing
        self.watcher = watcher
        self._waiting: dict[asyncio.Future[Snapshot | None], tuple[Snapshot | None, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def wait(self, heard: Snapshot | None, until: float) -> Snapshot | None:
        """Wait until something changed, the time has come, or the process is to stop.

        Args:
            heard: The snapshot that was heard last.
            until: By ``time.monotonic``.

        Returns:
            The latest snapshot, of the one look for all; the one heard while the database is away.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Snapshot | None] = loop.create_future()
        self._waiting[future] = (heard, until)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        try:
            return await future or heard
        finally:
            self._waiting.pop(future, None)

    async def _run(self) -> None:
        while self._waiting:
            # Whoever begins to listen has just looked.
            for _ in range(round(_LEAST_SECONDS / _STEP_SECONDS)):
                if not self.closing.is_set():
                    await asyncio.sleep(_STEP_SECONDS)
            self._wake(await self._look())

    async def _look(self) -> Snapshot | None:
        try:
            return await self.watcher.latest()
        except MaskpoolError:  # the database is away; nobody hears anything new
            return None

    def _wake(self, snapshot: Snapshot | None) -> None:
        now, closing = time.monotonic(), self.closing.is_set()
        for future, (heard, until) in list(self._waiting.items()):
            is_new = snapshot is not None and snapshot is not heard
            if (is_new or closing or until <= now) and not future.done():
                future.set_result(snapshot)
