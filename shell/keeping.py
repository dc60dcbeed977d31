"""What keeps the work in hand of a process: one thread of heartbeats for all of its leases."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from maskpool.errors import MaskpoolError

log = logging.getLogger(__name__)


class Held(Protocol):
    """A piece of work under a lease."""

    def stop_soon(self) -> None:
        """Give it back at the next step."""


HeldT = TypeVar("HeldT", bound=Held)


class Keeper(ABC, Generic[HeldT]):
    """Extends the leases of the work in hand once a heartbeat, and says that the process lives.

    Args:
        lease_seconds: How long a piece of work is leased for.
        heartbeat_seconds: How often that is extended.
    """

    def __init__(self, *, lease_seconds: float, heartbeat_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._holdings: dict[UUID, HeldT] = {}
        self._lock = threading.Lock()
        self._draining = False
        self._trouble = ""
        self._beaten = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def lease_ms(self) -> int:
        """How long a piece of work is leased for when it is taken."""
        return round(self._lease_seconds * 1000)

    @property
    def draining(self) -> bool:
        """Whether the process is about to end: take nothing more."""
        return self._draining

    @property
    def trouble(self) -> str:
        """Why the last heartbeat failed; empty where it did not."""
        return self._trouble

    @property
    def late_seconds(self) -> float:
        """Seconds by which a heartbeat is late."""
        return max(0.0, time.monotonic() - self._beaten - self._heartbeat_seconds)

    def start(self) -> None:
        """Announce the process, then send heartbeats; raises if the database does not answer."""
        self._beat()
        self._thread.start()

    def close(self) -> None:
        """Stop the heartbeats and sign off."""
        self._stop.set()
        if self._thread.ident is not None:  # else it never started
            self._thread.join()
        try:
            self._sign_off()
        except MaskpoolError as error:
            log.warning("could not sign off: %s", error)

    def drain(self) -> None:
        """Ask every piece of work in hand, and every one to come, to stop soon."""
        with self._lock:
            self._draining = True
            for holding in self._holdings.values():
                holding.stop_soon()

    def _deadline(self, asked_at: float) -> float:
        """The end of a lease that began no earlier than its statement was sent."""
        return asked_at + self._lease_seconds

    def _keep(self, token: UUID, holding: HeldT) -> HeldT:
        """Extend a lease from now on.

        Args:
            token: The fencing token.
            holding: What is leased.
        """
        with self._lock:
            self._holdings[token] = holding
            if self._draining:
                holding.stop_soon()
        return holding

    def _drop(self, token: UUID) -> None:
        """Stop extending a lease."""
        with self._lock:
            self._holdings.pop(token, None)

    def _held(self) -> dict[UUID, HeldT]:
        """What is in hand at this moment, by token."""
        with self._lock:
            return dict(self._holdings)

    def _run(self) -> None:
        while not self._stop.wait(self._heartbeat_seconds):
            try:
                self._beat()
                self._trouble = ""
            except MaskpoolError as error:
                self._trouble = str(error)
                log.warning("heartbeat failed: %s", error)
            except Exception as error:
                # A bug, but without this thread every lease of the process would lapse for good.
                self._trouble = repr(error)
                log.exception("heartbeat failed")
            self._beaten = time.monotonic()
            self._watch()

    @abstractmethod
    def _beat(self) -> None:
        """Extend all leases, and say that the process lives."""

    @abstractmethod
    def _sign_off(self) -> None:
        """Remove the process's row."""

    def _watch(self) -> None:
        """Look after each heartbeat whether something hangs."""
