"""One clerk: put together once, from the settings, and known to the Celery task."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from uuid import UUID

import redis

from clerk import scratch
from clerk.leases import TaskKeeper
from clerk.run_task import TaskRunner
from db import services
from db.schema import require_fit
from db.session import Database
from maskpool.domain import new_id
from maskpool.errors import ConfigError
from maskpool.health import HealthFile
from maskpool.settings import Settings, require
from producer.pool import Pool
from shell.health import Consumer, ProcessHealth
from shell.life import live
from shell.redis_calls import connect, ping, wake

#: Tasks at once: a dataset that takes an hour must not keep a deletion waiting.
THREADS = 4


@dataclass(frozen=True, slots=True)
class ClerkProcess:
    """What a process holds for its whole life."""

    id: UUID
    runner: TaskRunner
    keeper: TaskKeeper
    pool: Pool
    beating: Database
    broker: redis.Redis
    consumer: Consumer
    health: ProcessHealth

    def run(self, task_id: UUID) -> str:
        """Do a task; see ``TaskRunner.run``."""
        outcome = self.runner.run(task_id)
        wake(self.broker)
        return outcome

    def drain(self) -> None:
        """What is in hand stops at its next step and goes back."""
        self.keeper.drain()

    def close(self) -> None:
        """Close everything; Celery has waited for what was in hand."""
        self.keeper.drain()
        self.keeper.close()
        self.health.close()
        self.pool.close()
        self.beating.close()
        self.broker.close()


_current: ClerkProcess | None = None


def current() -> ClerkProcess:
    """The clerk of this process.

    Raises:
        ConfigError: The task runs outside a process that was started as one.
    """
    if _current is None:
        raise ConfigError("no clerk was started in this process; use maskpool clerk")
    return _current


def start(settings: Settings) -> ClerkProcess:
    """Put a clerk together and announce it.

    Raises:
        ConfigError: A setting is not as it must be.
        Unreachable: The database does not answer.
    """
    global _current  # noqa: PLW0603 - Celery's task has no other way to its process
    require(settings, "redis_url", "database_url", "store_url", who="a clerk")
    url = settings.database_url.get_secret_value()
    # Statements of the work may take long; a heartbeat that waits is a lease that lapses.
    database = Database(url, pool_size=THREADS + 1)
    beating = Database(url, pool_size=1, patience_seconds=settings.patience_seconds)
    with database.read() as session:
        require_fit(session)
    scratch.clear_dead()
    broker = connect(settings.redis_url.get_secret_value())
    clerk_id, name = new_id(), f"{socket.gethostname()}:{os.getpid()}"
    keeper = TaskKeeper(
        beating,
        clerk_id,
        name,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    consumer = Consumer()
    health = ProcessHealth(
        HealthFile(settings.health_file, services.CLERK, name),
        keeper,
        consumer,
        healthy=lambda: True,
        ping=lambda: ping(broker),
        stall_seconds=settings.stall_seconds,
    )
    keeper.start()
    health.start()
    pool = Pool(settings, database)
    runner = TaskRunner(pool, keeper)
    _current = ClerkProcess(clerk_id, runner, keeper, pool, beating, broker, consumer, health)
    return _current


live("maskpool clerk", start)
