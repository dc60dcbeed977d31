"""One worker process: put together once, from the settings, and known to the Celery task."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import redis

from db.granted_hosts import GrantedHosts
from db.schema import require_fit
from db.session import Database
from db.workers import WorkerInfo
from maskpool.abilities import Ability
from maskpool.domain import new_id
from maskpool.errors import ConfigError
from maskpool.health import HealthFile
from maskpool.ports import ObjectStore
from maskpool.settings import Settings, require
from shell.health import Consumer, ProcessHealth
from shell.life import live
from shell.redis_calls import connect, ping, say_ended, wake
from storage.images.fetch import Fetcher, Granted
from storage.objects import open_store
from workers.engine.engine import Engine
from workers.leases import STALLED, LeaseKeeper
from workers.pipeline import Pipeline

log = logging.getLogger(__name__)

#: Decoded images a chunk class keeps ahead of the engine, in micro-batches.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """What a process holds for its whole life."""

    id: UUID
    model: str
    pipeline: Pipeline
    leases: LeaseKeeper
    engine: Engine[object]
    database: Database
    broker: redis.Redis
    consumer: Consumer
    health: ProcessHealth

    def wake(self) -> None:
        """Tell the dispatcher that rows changed; it looks by itself if this fails."""
        wake(self.broker)

    def drain(self) -> None:
        """What is in hand stops after the micro-batch, and what is left goes back."""
        self.leases.drain()

    def say_ended(self, batch_id: UUID) -> None:
        """Tell whoever waits that jobs of a batch ended; they look by themselves if this fails."""
        say_ended(self.broker, batch_id)

    def close(self) -> None:
        """Close everything, in an order that loses no finished work."""
        self.leases.drain()
        self.pipeline.close()
        self.engine.close()
        self.leases.close()
        self.health.close()
        self.database.close()
        self.broker.close()


@dataclass(frozen=True, slots=True)
class Models:
    """A running engine and what to say of it.

    Attributes:
        engine: Started.
        device: As torch writes it.
        description: One line for people.
        abilities: What it can do beside looking for texts.
    """

    engine: Engine[object]
    device: str
    description: str
    abilities: frozenset[Ability] = frozenset(Ability)


#: Loads the models that some settings name, and starts their engine.
LoadModels = Callable[[Settings], Models]

#: Makes what reads images, given the store, the settings, and what a batch's team was granted.
MakeFetcher = Callable[[ObjectStore, Settings, Granted], Fetcher]

_current: WorkerProcess | None = None


def current() -> WorkerProcess:
    """The worker of this process.

    Raises:
        ConfigError: The task runs outside a worker that was started as one.
    """
    if _current is None:
        raise ConfigError("no worker was started in this process; use maskpool worker")
    return _current


def load(settings: Settings) -> Models:
    """Load the models the settings name and start their engine."""
    from workers.models.load import load_for  # noqa: PLC0415 - torch: seconds, and only here

    loaded = load_for(settings)
    engine = loaded.engine(settings.micro_batch).start()
    return Models(engine, loaded.device, loaded.description, loaded.abilities)


def start(
    settings: Settings, *, load: LoadModels = load, fetcher: MakeFetcher = Fetcher
) -> WorkerProcess:
    """Put a worker together and announce it.

    Args:
        settings: Of this process.
        load: Loads the models and starts their engine; by default those that the settings name.
        fetcher: Makes what reads images; see ``MakeFetcher``.

    Raises:
        ConfigError: A setting, a model or the device is not as it must be.
        Unreachable: Database or broker does not answer.
    """
    global _current  # noqa: PLW0603 - Celery's task has no other way to its process
    require(settings, "redis_url", "database_url", "store_url", who="a worker")
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.worker_threads + 2,
        patience_seconds=settings.patience_seconds,
    )
    with database.read() as session:
        require_fit(session)
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    broker = connect(settings.redis_url.get_secret_value())
    models = load(settings)
    log.info("models ready: %s", models.description)
    worker_id = new_id()
    info = WorkerInfo(
        id=worker_id,
        name=f"{socket.gethostname()}:{os.getpid()}",
        device=models.device,
        model=settings.model,
        threads=settings.worker_threads,
        abilities=models.abilities,
    )
    leases = LeaseKeeper(
        database,
        info,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        stall_seconds=settings.stall_seconds,
        rate=lambda: models.engine.images_per_second,
        healthy=lambda: models.engine.healthy,
        quiet_seconds=lambda: models.engine.quiet_seconds,
        on_stall=lambda: _end(health),
    )
    consumer = Consumer()
    health = ProcessHealth(
        HealthFile(settings.health_file, "worker", info.name),
        leases,
        consumer,
        healthy=lambda: models.engine.healthy,
        ping=lambda: ping(broker),
        stall_seconds=settings.stall_seconds,
    )
    pipeline = Pipeline(
        database=database,
        store=store,
        fetcher=fetcher(store, settings, GrantedHosts(database)),
        engine=models.engine,
        leases=leases,
        worker_id=worker_id,
        model=settings.model,
        images_in_work=_AHEAD * models.engine.micro_batch + 1,
        abilities=models.abilities,
        tile_side=settings.alias(settings.model).tile,
        decoded_bytes=settings.max_decoded_bytes,
    )
    leases.start()
    health.start()
    _current = WorkerProcess(
        worker_id,
        settings.model,
        pipeline,
        leases,
        models.engine,
        database,
        broker,
        consumer,
        health,
    )
    return _current


#: How this process puts its worker together.
_start: Callable[[Settings], WorkerProcess] = start


def choose(*, load: LoadModels, fetcher: MakeFetcher) -> None:
    """Say with which models and fetcher Celery's signal starts this process's worker."""
    global _start  # noqa: PLW0603 - Celery's signal has no other way to them
    _start = partial(start, load=load, fetcher=fetcher)


def _end(health: ProcessHealth) -> None:
    """End the process; its health file says why until it is started again."""
    health.write()
    os._exit(STALLED)


def _begin(settings: Settings) -> WorkerProcess:
    """Load before the first message is taken, as ``choose`` said last."""
    return _start(settings)


live("maskpool worker", _begin)
