"""Many logical workers in one torch-free process, to see what a large pool does as a whole.

Real is what decides who is served when, and what it costs: each logical worker is put together by
``workers.process.start``, with an id, a row, a heartbeat, leases, a pipeline, an engine and
database connections of its own; chunks come out of the real lists in Redis through kombu's
consumer, class ``now`` first, and are acknowledged late; masks are stored and rows written as
always.

Simulated are three things:

* the models: a segmenter that sleeps, so that one core serves many "devices";
* the fetch: each image file is read and decoded once a process;
* Celery's worker around the consumer: one thread for each chunk that a worker may hold, with a
  connection of its own and one message at a time. Threads and a prefetch multiplier of one come to
  the same: a worker with a thread to spare waits for a message, one without does not.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from functools import cache
from threading import Event, Thread
from typing import Any
from uuid import UUID

from kombu import Connection, Consumer, Exchange, Message, Queue

from maskpool import wire
from maskpool.domain import Klass
from maskpool.settings import Settings
from services.fakes import IndifferentScorer, Look, TimedSegmenter
from shell import transport
from storage.images.fetch import FetchedImage, Fetcher
from workers import process
from workers.engine.engine import Engine
from workers.process import Models, WorkerProcess


@dataclass(frozen=True)
class Simulation:
    """How many logical workers a process holds, and how fast each is.

    Attributes:
        workers: Logical workers; each takes ``settings.worker_threads`` chunks at once.
        image_seconds: Device time of one image.
        micro_batch: Images in one call of the segmenter.
    """

    workers: int
    image_seconds: float
    micro_batch: int = 4


class RememberingFetcher(Fetcher):
    """Reads as its parent does, each image once."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._remembered = cache(super().fetch)

    def fetch(self, uri: str, batch_id: UUID | None = None, take: Any = None) -> FetchedImage:  # noqa: ARG002 - as the real one
        return self._remembered(uri, batch_id)


def serve(settings: Settings, simulation: Simulation, look: Look) -> None:
    """Be so many workers until SIGTERM; a thread that fails ends the whole process.

    Args:
        settings: Of every logical worker; database, broker and store must be named.
        simulation: How many, and how fast.
        look: Says what is to be found in an image.
    """
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.excepthook = _end_process
    transport.install()
    members = [_start(settings, simulation, look) for _ in range(simulation.workers)]
    threads = [
        Thread(target=_consume, args=(member, settings, stop), name=f"chunks-{number}")
        for number, member in enumerate(members)
        for _ in range(settings.worker_threads)
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for member in members:
        member.leases.drain()
    for thread in threads:
        thread.join()
    for member in members:
        member.close()


def _start(settings: Settings, simulation: Simulation, look: Look) -> WorkerProcess:
    engine = Engine(
        TimedSegmenter(simulation.image_seconds, look),
        IndifferentScorer(),
        micro_batch=simulation.micro_batch,
    )
    said = f"{simulation.image_seconds} s an image"
    models = Models(engine.start(), "simulated", said)
    return process.start(settings, load=lambda _: models, fetcher=RememberingFetcher)


def _consume(member: WorkerProcess, settings: Settings, stop: Event) -> None:
    """One chunk after the other, as a thread of Celery's pool would be given them."""
    arrived: list[Message] = []
    url = wire.celery_url(settings.redis_url.get_secret_value())
    with Connection(url, transport_options=wire.CELERY["broker_transport_options"]) as connection:
        channel = connection.channel()
        channel.basic_qos(0, 1, False)
        with Consumer(channel, _queues(member), accept=["json"], on_message=arrived.append):
            while not stop.is_set():
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    continue
                for message in arrived:
                    _run(member, message)
                    message.ack()
                arrived.clear()


def _queues(member: WorkerProcess) -> list[Queue]:
    names = [wire.queue_name(member.model, klass) for klass in Klass]
    return [Queue(name, Exchange(name), routing_key=name) for name in names]


def _run(member: WorkerProcess, message: Message) -> None:
    """What ``workers.tasks.annotate`` does."""
    _, kwargs, _ = message.decode()
    queue = str(message.delivery_info["routing_key"])
    klass = Klass.NOW if queue == wire.queue_name(member.model, Klass.NOW) else Klass.BULK
    member.pipeline.run(wire.from_kwargs(kwargs, model=member.model, klass=klass))
    member.wake()


def _end_process(failure: threading.ExceptHookArgs) -> None:
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    sys.stderr.flush()
    os._exit(1)
