"""A ping before a connection is used that rested for a while.

SQLAlchemy's own ping costs every transaction a round trip.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

#: Seconds for which a connection that was used is trusted. One that is cut within them is found out
#: by its next statement, which fails as all do whose server dies.
_TRUSTED_SECONDS = 0.25

_USED_AT = "maskpool_used_at"


def ping_after_rest(engine: Engine) -> None:
    """Let an engine open a new connection in place of one that no longer answers."""

    def used(_: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 - a DBAPI connection
        entry.info[_USED_AT] = time.monotonic()

    def taken(connection: Any, entry: ConnectionPoolEntry, _: object) -> None:  # noqa: ANN401
        used_at = entry.info.get(_USED_AT)
        if used_at is None or time.monotonic() - used_at < _TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            # All that rested as long are as old, and are opened anew.
            raise InvalidatePoolError from None

    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", taken)
