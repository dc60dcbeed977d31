"""Keeping the tasks in hand: heartbeats by a thread, the end of each lease, a sign of life."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import services, sweeping, tasks
from db.session import Database
from db.tasks import TakenTask
from maskpool.errors import LeaseLost
from shell.keeping import Keeper

#: A task that made no step for this long never will: one call of the store or the database ends
#: within minutes, and a large file that goes into the store in parts within this.
_STALL_SECONDS = 3600.0


class HandedBack(Exception):
    """The process stops: give the task back as it is."""


class Holding:
    """A task that this clerk holds.

    Args:
        task: As it was taken.
        deadline: On the monotonic clock; past it nothing may be written.
    """

    def __init__(self, task: TakenTask, deadline: float) -> None:
        self.task = task
        self.progress: dict[str, Any] | None = None
        self._deadline = deadline
        self._lost = False
        self._stopping = False
        self._stepped = time.monotonic()

    @property
    def subject(self) -> str:
        """What it is, for people."""
        return f"task {self.task.id}"

    @property
    def idle_seconds(self) -> float:
        """Seconds since its last step."""
        return time.monotonic() - self._stepped

    def step(self, **progress: Any) -> None:  # noqa: ANN401 - JSON, by the kind's own words
        """Between two steps of the work: say how far it is, and whether to go on.

        Raises:
            LeaseLost: The task is not ours any more.
            HandedBack: The process stops.
        """
        self._stepped = time.monotonic()
        if progress:
            self.progress = progress
        if self._lost or time.monotonic() > self._deadline:
            raise LeaseLost(f"the lease of task {self.task.id} is over")
        if self._stopping:
            raise HandedBack

    def require(self, session: Session, batch_id: UUID | None = None) -> None:
        """The fence of a transaction; see ``db.tasks.require_mine``."""
        tasks.require_mine(session, self.task.id, self.task.lease_id, batch_id=batch_id)

    def extended(self, deadline: float) -> None:
        """The database extended the lease."""
        self._deadline = deadline

    def lose(self) -> None:
        """The task was given to another, or cancelled."""
        self._lost = True

    def stop_soon(self) -> None:
        """Give it back at the next step."""
        self._stopping = True


class TaskKeeper(Keeper[Holding]):
    """Extends the leases of the tasks in hand once a heartbeat, and says that the clerk lives.

    Args:
        database: The pool's database, whose clock decides when a lease is over.
        service_id: Of the clerk's row.
        name: ``host:pid``.
        lease_seconds: How long a task is leased for.
        heartbeat_seconds: How often that is extended.
    """

    def __init__(
        self,
        database: Database,
        service_id: UUID,
        name: str,
        *,
        lease_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        super().__init__(lease_seconds=lease_seconds, heartbeat_seconds=heartbeat_seconds)
        self._database = database
        self._id = service_id
        self._name = name
        self._announced = float("-inf")

    def stalled(self) -> Holding | None:
        """A task that made no step for so long that it never will, or None."""
        held = self._held().values()
        return next((one for one in held if one.idle_seconds > _STALL_SECONDS), None)

    def hold(self, task: TakenTask, asked_at: float) -> Holding:
        """Keep a task that was just taken.

        Args:
            task: As it was taken.
            asked_at: Monotonic time before the statement was sent: the lease began no earlier.
        """
        return self._keep(task.lease_id, Holding(task, self._deadline(asked_at)))

    def release(self, holding: Holding) -> None:
        """Stop extending the lease of a task that ended or was lost."""
        self._drop(holding.task.lease_id)

    def _beat(self) -> None:
        held = self._held().values()
        now = time.monotonic()
        is_due = now - self._announced > services.BEAT_SECONDS
        if not held and not is_due:
            return
        with self._database.write() as session:
            kept = [holding for holding in held if self._keeps(session, holding)]
            if is_due:
                services.announce(session, self._id, services.CLERK, self._name)
                services.forget_old(session)
                sweeping.ask_for_sweep(session)
        for holding in kept:
            holding.extended(self._deadline(now))
        if is_due:
            self._announced = now

    def _sign_off(self) -> None:
        with self._database.write() as session:
            services.retire(session, self._id)

    def _keeps(self, session: Session, holding: Holding) -> bool:
        task = holding.task
        try:
            tasks.extend(
                session, task.id, task.lease_id, lease_ms=self.lease_ms, progress=holding.progress
            )
        except LeaseLost:
            holding.lose()
            return False
        return True
