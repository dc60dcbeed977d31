"""One open pool: its settings, database, store and broker. What every use case works on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from db import lookup, services, workers
from db.session import Database
from db.workers import WorkerInfo
from maskpool.errors import Unreachable
from maskpool.ports import ObjectStore
from maskpool.settings import Settings
from producer.local.endpoints import settings_here
from storage.objects import open_store

if TYPE_CHECKING:  # redis-py takes 7 MB, which a submit of a million images has better uses for
    from producer.dispatch.broker import Broker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pool:
    """A running pool, as those who submit and read see it."""

    settings: Settings
    database: Database
    _opened: list[ObjectStore] = field(default_factory=list, init=False, repr=False, compare=False)
    _brokers: list[Broker] = field(default_factory=list, init=False, repr=False, compare=False)

    def store(self) -> ObjectStore:
        """The pool's object store; threads share it, as a client of S3 takes 0.1 s to make."""
        if not self._opened:
            settings = self.settings
            self._opened.append(
                open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
            )
        return self._opened[0]

    def find(self, reference: str) -> UUID:
        """The batch that a user means.

        Args:
            reference: Id, beginning or end of an id, or name.

        Raises:
            NotFound: None or several are meant.
        """
        with self.database.read() as session:
            return lookup.find(session, reference)

    def wake(self) -> None:
        """Tell the dispatcher that rows changed. Call it after COMMIT.

        A broker that is away is only logged: the dispatcher looks at the rows by itself, too.
        """
        try:
            self._broker().wake()
        except Unreachable as error:
            log.warning("%s; the dispatcher will notice by itself", error)

    def _broker(self) -> Broker:
        """The pool's way to Redis; threads share it, as a connection takes longer than a wake."""
        if not self._brokers:
            from producer.dispatch.broker import Broker  # noqa: PLC0415 - see above

            self._brokers.append(Broker(self.settings.redis_url.get_secret_value()))
        return self._brokers[0]

    def close(self) -> None:
        """Close its connections to database and broker."""
        for broker in self._brokers:
            broker.close()
        self.database.close()

    def living_workers(self) -> list[WorkerInfo]:
        """The workers that live, by name."""
        with self.database.read() as session:
            return workers.alive(session)


@contextmanager
def open_pool() -> Iterator[Pool]:
    """The pool that the environment, or the stack that runs here, names.

    Raises:
        Unreachable: Neither names one.
    """
    settings = settings_here()
    pool = Pool(settings, Database(settings.database_url.get_secret_value()))
    try:
        yield pool
    finally:
        pool.close()


def why_idle(pool: Pool, model: str | None = None) -> list[str]:
    """Why nothing will happen: a sentence for each part that the pool lacks.

    Args:
        pool: Any.
        model: What must be served; None where only the dispatcher matters.
    """
    with pool.database.read() as session:
        seen = services.seen(session, services.DISPATCHER)
        served = workers.fleets(session)
    reasons = []
    if not any(one.alive for one in seen):
        when = f"was seen for {_age(seen[0].seconds_ago)}" if seen else "was seen yet"
        reasons.append(
            f"no dispatcher {when}: nothing will happen until one runs (maskpool dispatch)"
        )
    if model is not None and model not in served:
        others = f"; those alive serve {', '.join(sorted(served))}" if served else ""
        reasons.append(
            f"no living worker serves {model}{others}: nothing will happen until one does"
        )
    return reasons


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
