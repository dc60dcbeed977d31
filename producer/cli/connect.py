"""From the settings to the parts a verb needs, closed again whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from maskpool.errors import Unreachable
from maskpool.ports import ObjectStore
from maskpool.settings import Settings
from producer.cli.render import errors

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from db.session import Database


@dataclass(frozen=True, slots=True)
class Pool:
    """A running pool as a verb sees it."""

    settings: Settings
    database: Database

    def store(self) -> ObjectStore:
        """The pool's object store."""
        from storage.objects import open_store

        return open_store(self.settings.store_url, endpoint_url=self.settings.s3_endpoint_url)

    def find(self, reference: str) -> UUID:
        """The batch that a user means.

        Raises:
            NotFound: None or several are meant.
        """
        from db import lookup

        with self.database.read() as session:
            return lookup.find(session, reference)

    def wake(self) -> None:
        """Tell the dispatcher; it looks by itself if the broker is away, so that only warns."""
        from producer.dispatch.broker import Broker

        broker = Broker(self.settings.redis_url.get_secret_value())
        try:
            broker.wake()
        except Unreachable as error:
            errors.print(f"{error}; the dispatcher will notice by itself", style="yellow")
        finally:
            broker.close()


@contextmanager
def pool() -> Iterator[Pool]:
    """The pool that the environment, or the stack that runs here, names.

    Raises:
        Unreachable: Neither names one.
    """
    from db.session import Database
    from producer.local.endpoints import settings_here

    settings = settings_here()
    database = Database(settings.database_url.get_secret_value())
    try:
        yield Pool(settings, database)
    finally:
        database.close()
