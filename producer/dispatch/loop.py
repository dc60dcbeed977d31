"""The loop around ``tick``: woken or every so often, and alive while services are away."""

from __future__ import annotations

import logging
import time
from threading import Event

from db import workers
from db.schema import require_fit
from db.session import Database
from maskpool.errors import Transient
from producer.dispatch.broker import Broker
from producer.dispatch.heartbeat import Heartbeat
from producer.dispatch.tick import Tick, tick

log = logging.getLogger(__name__)

#: Least time between two ticks: chunks that end meanwhile share the next tick, and many chunks in
#: a tick cost a tenth each of what one alone costs.
_GATHER_SECONDS = 0.005

#: Longest wait between tries while a service is away.
_MAX_PAUSE_SECONDS = 5.0

#: How often the rows of workers that are gone are swept.
_SWEEP_SECONDS = 3600.0


class Dispatcher:
    """Calls ``tick`` when woken, and every so often anyway; outlives services that go away."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        *,
        tick_seconds: float,
        lease_seconds: float,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._database = database
        self._heartbeat = heartbeat or Heartbeat(database)
        self._fits = False
        self._broker = broker
        self._tick_seconds = tick_seconds
        self._lease_seconds = lease_seconds
        self._outage_ended = float("-inf")
        self._checked_all_at = float("-inf")
        self._swept = float("-inf")

    def run(self, stop: Event) -> None:
        """Dispatch until told to stop.

        Raises:
            ConfigError: The database lacks a table or column that this code knows.
        """
        try:
            self._run(stop)
        finally:
            self._heartbeat.leave()

    def _run(self, stop: Event) -> None:
        pause = 0.0
        while not stop.wait(pause):
            try:
                self._round()
                self._heartbeat.round_done()
            except Transient as error:
                self._heartbeat.round_failed(error)
                pause = min(_MAX_PAUSE_SECONDS, max(self._tick_seconds, 2 * pause))
                log.warning("%s; trying again in %.1f s", error, pause)
            else:
                pause = 0.0

    def _round(self) -> None:
        if not self._fits:
            with self._database.read() as session:
                require_fit(session)
            self._fits = True
        forgot = not self._broker.begin_round()
        done = self._tick(forgot)
        if forgot and done.led:
            # After the tick: if we die before, the next dispatcher must send everything again.
            self._broker.remember()
        if done != Tick():
            log.debug("tick: %s", done)
        self._sweep()
        rested = time.monotonic()
        if self._broker.wait(self._tick_seconds):
            # From the start of the wait: one who waits alone is not kept waiting for others.
            time.sleep(max(0.0, rested + _GATHER_SECONDS - time.monotonic()))

    def _tick(self, forgot: bool) -> Tick:
        now = time.monotonic()
        # While the database was away no worker could beat; each gets a lease's time to come back.
        silent = now - self._outage_ended < self._lease_seconds
        # However often it is woken, it looks at everything once every tick_seconds.
        woken = now - self._checked_all_at < self._tick_seconds
        try:
            done = tick(
                self._database,
                self._broker.publish,
                send_tasks=self._broker.publish_tasks,
                lease_ms=round(self._lease_seconds * 1000),
                broker_forgot=forgot,
                charge_losses=not silent,
                woken=woken,
                beat=self._heartbeat.step,
            )
        except Transient:
            self._outage_ended = time.monotonic()
            raise
        if done.led and not woken:
            self._checked_all_at = now
        return done

    def _sweep(self) -> None:
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            with self._database.write() as session:
                workers.forget_old(session)
            self._swept = time.monotonic()
