"""How others know that a service lives: its health file, and a row written now and then."""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path

from db import services
from db.session import Database
from maskpool.domain import new_id
from maskpool.errors import MaskpoolError
from maskpool.health import HealthFile

log = logging.getLogger(__name__)


class Heartbeat:
    """One dispatcher's or web server's signs of life.

    Args:
        database: Where ``maskpool doctor`` and ``submit`` look for a dispatcher.
        health_file: What the container's check reads; None for none.
        kind: Of the service, by ``db.services``.
    """

    def __init__(
        self,
        database: Database,
        health_file: Path | None = None,
        kind: str = services.DISPATCHER,
    ) -> None:
        self._database = database
        self._id = new_id()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._kind = kind
        self._health_file = HealthFile(health_file, kind, self._name)
        self._announced = float("-inf")
        self._trouble = ""

    def round_done(self) -> None:
        """A round went well.

        Raises:
            Unreachable: The database is away.
        """
        if time.monotonic() - self._announced > services.BEAT_SECONDS:
            with self._database.write() as session:
                services.announce(session, self._id, self._kind, self._name)
                services.forget_old(session)
            self._announced = time.monotonic()
        self._trouble = ""
        self._health_file.beat()

    def step(self) -> None:
        """One step of a round is done: a long round is no hang."""
        self._health_file.beat(self._trouble)

    def round_failed(self, error: MaskpoolError) -> None:
        """A round ended early, but the loop goes on."""
        self._trouble = str(error)
        self._health_file.beat(self._trouble)

    def leave(self) -> None:
        """The service stops, and says so where it can."""
        try:
            with self._database.write() as session:
                services.retire(session, self._id)
        except MaskpoolError as error:
            log.warning("could not sign off: %s", error)
        self._health_file.close()
