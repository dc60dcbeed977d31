"""The dispatcher: reap → fold → choose fairly → claim → publish, as one function, ``tick``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

from db import workers
from db.chunks import claim as claims
from db.chunks import reap
from db.schema import require_fit
from db.session import Database
from maskpool import failpoints
from maskpool.domain import ChunkMessage
from maskpool.errors import Transient
from producer.dispatch.broker import Broker
from producer.dispatch.heartbeat import Presence
from producer.fairness import plan

log = logging.getLogger(__name__)

#: Between ticks at least, for others to arrive: many chunks a tick cost a tenth of one each.
_GATHER_SECONDS = 0.005

#: Longest wait between tries while a service is away.
_MAX_PAUSE_SECONDS = 5.0

#: Rows of workers that are gone are swept so often.
_SWEEP_SECONDS = 3600.0

#: Messages in one command to the broker: few commands, and yet a sign of life between them.
_PUBLISHED_AT_ONCE = 64

Publish = Callable[[Sequence[ChunkMessage]], None]


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did."""

    reaped: int = 0
    folded: int = 0
    ended: int = 0
    published: int = 0
    #: False where another dispatcher had the turn.
    led: bool = True


def tick(
    database: Database,
    publish: Publish,
    *,
    lease_ms: int = 30_000,
    broker_forgot: bool = False,
    charge_losses: bool = True,
    woken: bool = False,
    goes_on: Callable[[], None] = lambda: None,
) -> Tick:
    """One round. Any number of dispatchers may call it; each round has one leader.

    Rows are committed before a message is sent, and marked as published behind it: a crash in
    between costs a second copy of a message, which is harmless, and never a lost one.

    Args:
        database: The truth.
        publish: Sends messages, in this order.
        lease_ms: What workers lease for.
        broker_forgot: Every message may be lost.
        charge_losses: False where a worker may be silent through no fault of its image.
        woken: Somebody said that there is work, and leases and lost messages were looked at a
            moment ago: do not ask first.
        goes_on: Called after each step; a round that reaps thousands of chunks takes minutes.

    Raises:
        Unreachable: Database or broker is away; what was committed is picked up by a later tick.
    """
    reaped = 0
    if not woken:
        with database.read() as session:
            if not broker_forgot and not reap.anything_to_do(session):
                return Tick()
        reaped = _reap(database, lease_ms, goes_on, charge=charge_losses)
        failpoints.reach("dispatch.reaped")
    with database.write() as session:
        if not claims.lead(session):
            return Tick(reaped=reaped, led=False)
        held = reap.hold_batches(session)
        folded = reap.fold(session, held)
        ended = reap.end_batches(session, held)
        failpoints.reach("dispatch.folded")
        goes_on()
        pools = workers.pools(session)
        if broker_forgot:
            claims.doubt(session)
        # Patience is in seconds: what is overdue, the next look at everything finds.
        messages = [] if woken and not broker_forgot else claims.unheard(session, pools)
        goes_on()
        candidates = claims.candidates(session, held)
        chosen = plan(candidates, pools, claims.open_chunks(session)) if candidates else []
        goes_on()
        for claim in chosen:
            messages += claims.claim(
                session,
                claim.candidate,
                chunks=claim.chunks,
                size=claim.size,
                image_seconds=claim.image_seconds,
            )
            goes_on()
        failpoints.reach("dispatch.claimed")
    failpoints.reach("dispatch.committed")
    goes_on()
    _publish(database, publish, messages, goes_on)
    return Tick(reaped=reaped, folded=folded, ended=len(ended), published=len(messages))


def _reap(database: Database, lease_ms: int, goes_on: Callable[[], None], *, charge: bool) -> int:
    with database.read() as session:
        if not reap.any_lapsed(session):
            return 0
    # Who died may have had messages that it did not come to. First: dying here must forget none.
    with database.write() as session:
        claims.doubt(session, older_than_ms=lease_ms // 2)
    goes_on()
    reaped = 0
    while True:
        with database.write() as session:
            if not reap.reap_one(session, lease_ms, charge=charge):
                return reaped
        reaped += 1
        goes_on()


def _publish(
    database: Database,
    publish: Publish,
    messages: Sequence[ChunkMessage],
    goes_on: Callable[[], None],
) -> None:
    sent = []
    try:
        for at in range(0, len(messages), _PUBLISHED_AT_ONCE):
            some = messages[at : at + _PUBLISHED_AT_ONCE]
            publish(some)
            failpoints.reach("dispatch.sent")
            sent += [message.chunk_id for message in some]
            goes_on()
    finally:
        if sent:
            with database.write() as session:
                claims.mark_published(session, sent)
            failpoints.reach("dispatch.marked")


class Dispatcher:
    """Calls ``tick`` when woken, and every so often anyway; outlives services that go away."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        *,
        tick_seconds: float,
        lease_seconds: float,
        presence: Presence | None = None,
    ) -> None:
        self._database = database
        self._presence = presence or Presence(database)
        self._fits = False
        self._broker = broker
        self._tick_seconds = tick_seconds
        self._lease_seconds = lease_seconds
        self._outage_ended = float("-inf")
        self._looked = float("-inf")
        self._swept = float("-inf")

    def run(self, stop: Event) -> None:
        """Dispatch until told to stop.

        Raises:
            ConfigError: The database lacks a table or column that this code knows.
        """
        try:
            self._run(stop)
        finally:
            self._presence.leave()

    def _run(self, stop: Event) -> None:
        pause = 0.0
        while not stop.wait(pause):
            try:
                self._round()
                self._presence.worked()
            except Transient as error:
                self._presence.failed(error)
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
        if (
            forgot and done.led
        ):  # only now: dying in between must leave the broker known as forgetful
            self._broker.remember()
        if done != Tick():
            log.debug("tick: %s", done)
        self._sweep()
        rested = time.monotonic()
        if self._broker.wait(self._tick_seconds):
            # Whoever waits alone is not kept waiting for others.
            time.sleep(max(0.0, rested + _GATHER_SECONDS - time.monotonic()))

    def _tick(self, forgot: bool) -> Tick:
        now = time.monotonic()
        # While the database was away nobody could beat; workers get a lease to come back.
        silent = now - self._outage_ended < self._lease_seconds
        # However often it is woken, it looks at everything as often as without.
        woken = now - self._looked < self._tick_seconds
        try:
            done = tick(
                self._database,
                self._broker.publish,
                lease_ms=round(self._lease_seconds * 1000),
                broker_forgot=forgot,
                charge_losses=not silent,
                woken=woken,
                goes_on=self._presence.goes_on,
            )
        except Transient:
            self._outage_ended = time.monotonic()
            raise
        if done.led and not woken:
            self._looked = now
        return done

    def _sweep(self) -> None:
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            with self._database.write() as session:
                workers.forget_old(session)
            self._swept = time.monotonic()
