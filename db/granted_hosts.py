"""Which hosts a batch's team may read, remembered for a moment: a worker asks for many images."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from db import grants
from db.session import Database

#: What was granted or taken back counts after this long at most.
_KEPT_SECONDS = 5.0


class GrantedHosts:
    """Asks the rows at most once in five seconds for each batch; threads may share one.

    Args:
        database: Of the pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[UUID, tuple[float, tuple[str, ...] | None]] = {}
        self._lock = threading.Lock()

    def __call__(self, batch_id: UUID) -> tuple[str, ...] | None:
        """See ``db.grants.hosts_of_batch``.

        Raises:
            Unreachable: The database is away.
        """
        with self._lock:
            now = time.monotonic()
            self._known = {
                batch: (at, hosts)
                for batch, (at, hosts) in self._known.items()
                if now - at < _KEPT_SECONDS
            }
            if batch_id not in self._known:
                with self._database.read() as session:
                    self._known[batch_id] = now, grants.hosts_of_batch(session, batch_id)
            return self._known[batch_id][1]
