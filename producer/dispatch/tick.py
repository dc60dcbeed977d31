"""The dispatcher: reap → fold → choose fairly → claim → publish, as one function, ``tick``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db import task_messages, ticks, workers
from db.chunks import claim, fold, publish, reap
from db.session import Database
from maskpool import failpoints
from maskpool.domain import ChunkMessage
from maskpool.fairness import plan
from maskpool.tasks import TaskMessage

#: Messages in one command to the broker: few commands, and yet signs of life in between.
_PUBLISHED_AT_ONCE = 64

#: Sends messages to the broker, in the order given.
Send = Callable[[Sequence[ChunkMessage]], None]

#: Sends messages to the clerks.
SendTasks = Callable[[Sequence[TaskMessage]], None]


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did."""

    reaped: int = 0
    folded: int = 0
    ended: int = 0
    published: int = 0
    #: Messages to clerks.
    tasks: int = 0
    #: False where another dispatcher had the turn.
    led: bool = True


def tick(
    database: Database,
    send: Send,
    *,
    send_tasks: SendTasks | None = None,
    lease_ms: int = 30_000,
    broker_forgot: bool = False,
    charge_losses: bool = True,
    woken: bool = False,
    beat: Callable[[], None] = lambda: None,
) -> Tick:
    """One round. Any number of dispatchers may call it; each round has one leader.

    Rows are committed before a message is sent, and marked as published behind it: a crash in
    between costs a second copy of a message, which is harmless, and never a lost one.

    Args:
        database: The pool's database.
        send: Sends messages to the broker.
        send_tasks: Sends the clerks' messages; None leaves all tasks alone.
        lease_ms: How long workers lease chunks for.
        broker_forgot: Whether every message may be lost, so that all are sent again.
        charge_losses: False where workers may be silent through no fault of their images.
        woken: Somebody said that there is work, and leases and lost messages were looked at a
            moment ago: do not ask first.
        beat: Called after each step; a tick that reaps thousands of chunks takes minutes, and must
            not be taken for a hang.

    Raises:
        Unreachable: Database or broker is away; what was committed is picked up by a later tick.
    """
    reaped = 0
    if not woken:
        with database.read() as session:
            if not broker_forgot and not ticks.anything_to_do(session):
                return Tick()
        reaped = _reap(database, lease_ms, beat, charge=charge_losses)
        failpoints.reach("dispatch.reaped")
    with database.write() as session:
        if not ticks.lead(session):
            return Tick(reaped=reaped, led=False)
        held = ticks.hold_batches(session)
        folded = fold.fold(session, held)
        ended = fold.end_batches(session, held)
        failpoints.reach("dispatch.folded")
        beat()
        fleets = workers.fleets(session)
        if broker_forgot:
            publish.distrust_sent(session)
        # Messages become overdue within seconds, so the next tick that was not woken finds them.
        messages = [] if woken and not broker_forgot else publish.unpublished(session, fleets)
        # Likewise: a task is published within ``tick_seconds``.
        looked = send_tasks is not None and (broker_forgot or not woken)
        waiting = _waiting_tasks(session, broker_forgot=broker_forgot) if looked else []
        beat()
        candidates = claim.candidates(session, held)
        planned = plan(candidates, fleets, claim.open_chunks(session)) if candidates else []
        beat()
        for chosen in planned:
            messages += claim.claim(
                session,
                chosen.candidate,
                chunks=chosen.chunks,
                size=chosen.size,
                image_seconds=chosen.image_seconds,
            )
            beat()
        failpoints.reach("dispatch.claimed")
    failpoints.reach("dispatch.committed")
    beat()
    _send(database, send, messages, beat)
    if send_tasks is not None and waiting:
        _send_tasks(database, send_tasks, waiting)
    return Tick(reaped, folded, len(ended), published=len(messages), tasks=len(waiting))


def _waiting_tasks(session: Session, *, broker_forgot: bool) -> list[TaskMessage]:
    if broker_forgot:
        task_messages.distrust_sent(session)
    return task_messages.unpublished(session)


def _send_tasks(database: Database, send: SendTasks, waiting: Sequence[TaskMessage]) -> None:
    send(waiting)
    with database.write() as session:
        task_messages.mark_published(session, [message.task_id for message in waiting])


def _reap(database: Database, lease_ms: int, beat: Callable[[], None], *, charge: bool) -> int:
    with database.read() as session:
        if not reap.any_lapsed(session):
            return 0
    # A dead worker may have held messages that it did not come to. This comes before reaping: if
    # the dispatcher dies in between, the lapsed lease still tells the next one to do it.
    with database.write() as session:
        publish.distrust_sent(session, older_than_ms=lease_ms // 2)
    beat()
    reaped = 0
    while True:
        with database.write() as session:
            if not reap.reap_one(session, lease_ms, charge=charge):
                return reaped
        reaped += 1
        beat()


def _send(
    database: Database,
    send: Send,
    messages: Sequence[ChunkMessage],
    beat: Callable[[], None],
) -> None:
    sent = []
    try:
        for at in range(0, len(messages), _PUBLISHED_AT_ONCE):
            some = messages[at : at + _PUBLISHED_AT_ONCE]
            send(some)
            failpoints.reach("dispatch.sent")
            sent += [message.chunk_id for message in some]
            beat()
    finally:
        if sent:
            with database.write() as session:
                publish.mark_published(session, sent)
            failpoints.reach("dispatch.marked")
