"""What a health file says of a Celery worker: of its heartbeats, its work and its consumer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from maskpool.health import HealthFile

#: How often the parts are looked at.
_LOOK_SECONDS = 1.0

#: Celery's consumer goes round every two seconds, and a heartbeat is written every second; longer
#: silence is trouble.
_QUIET_SECONDS = 20.0

#: Checks in a row at which Redis must answer before Celery is blamed: more than a minute. While
#: Redis is away, Celery waits up to half a minute between two tries to connect, and is silent.
_ANSWERS = 60


class Held(Protocol):
    """Something that is worked on under a lease."""

    @property
    def subject(self) -> str:
        """What it is, for people."""

    @property
    def idle_seconds(self) -> float:
        """Seconds since it last made progress."""


class Leases(Protocol):
    """The keeper of a process's heartbeats and leases."""

    @property
    def draining(self) -> bool:
        """Whether the process is about to end."""

    @property
    def trouble(self) -> str:
        """Why the last heartbeat failed; empty where it did not."""

    @property
    def late_seconds(self) -> float:
        """Seconds by which a heartbeat is late."""

    def stalled(self) -> Held | None:
        """What made no progress for so long that it never will, or None."""


class Consumer:
    """Celery's loop that takes messages; ``heard`` is called each time it goes round."""

    def __init__(self) -> None:
        self._heard = time.monotonic()

    def heard(self) -> None:
        """Note that the loop went round."""
        self._heard = time.monotonic()

    @property
    def quiet_seconds(self) -> float:
        """Seconds since it last went round."""
        return time.monotonic() - self._heard


class ProcessHealth:
    """Looks at a process's parts once a second and writes what it finds.

    Args:
        file: The health file.
        leases: The keeper of its heartbeats and leases.
        consumer: The loop that takes messages.
        healthy: False once the device is lost, or the engine.
        ping: Asks the broker for a sign; returns what is wrong, or an empty string.
        stall_seconds: A part that stands still for this long counts as dead; Celery only where
            Redis has answered for a minute.
    """

    def __init__(
        self,
        file: HealthFile,
        leases: Leases,
        consumer: Consumer,
        *,
        healthy: Callable[[], bool],
        ping: Callable[[], str],
        stall_seconds: float,
    ) -> None:
        self._file = file
        self._leases = leases
        self._consumer = consumer
        self._healthy = healthy
        self._ping = ping
        self._stall_seconds = stall_seconds
        self._redis_trouble = ""
        self._answers = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Start writing, if a health file is wanted."""
        if self._file.wanted:
            self._thread.start()

    def close(self) -> None:
        """Stop, and take the file away."""
        self._stop.set()
        if self._thread.ident is not None:  # else it never started
            self._thread.join()
        self._file.close()

    def write(self) -> None:
        """Check the parts and write the result; also called just before the process ends itself."""
        dead = self._dead()
        self._file.beat(dead or self._trouble(), live=not dead)

    def _run(self) -> None:
        self.write()
        while not self._stop.wait(_LOOK_SECONDS):
            self.write()

    def _dead(self) -> str:
        """Trouble from which only a restart helps; empty where there is none."""
        stalled = self._leases.stalled()
        late_seconds = self._leases.late_seconds
        if not self._healthy():
            return "the device or the engine is lost"
        if stalled is not None:
            return f"{stalled.subject} made no progress for {stalled.idle_seconds:.0f} s"
        if late_seconds > self._stall_seconds:
            return f"no heartbeat went round for {late_seconds:.0f} s"
        return self._dead_celery()

    def _dead_celery(self) -> str:
        """That Celery takes no messages although it had time to connect; empty where it does."""
        quiet = self._consumer.quiet_seconds
        if quiet <= _QUIET_SECONDS or self._leases.draining:
            self._redis_trouble, self._answers = "", 0
            return ""
        self._redis_trouble = self._ping()
        self._answers = 0 if self._redis_trouble else self._answers + 1
        if quiet > self._stall_seconds and self._answers > _ANSWERS:
            return f"Celery stands still for {quiet:.0f} s although Redis answers"
        return ""

    def _trouble(self) -> str:
        """Trouble that may pass by itself; empty where there is none."""
        if self._leases.draining:
            return "it is draining, and ends with the work in hand"
        if self._leases.trouble:
            return self._leases.trouble
        if self._leases.late_seconds > _QUIET_SECONDS:
            return f"the database has not answered for {self._leases.late_seconds:.0f} s"
        quiet = self._consumer.quiet_seconds
        if quiet > _QUIET_SECONDS:
            return self._redis_trouble or f"Celery stands still for {quiet:.0f} s"
        return ""
