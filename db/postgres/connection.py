"""A Postgres connection that does not wait forever for a server that stopped answering.

A broken network gives no sign: TCP alone waits a quarter of an hour for an acknowledgement, and
forever where a proxy or a frozen server still acknowledges.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import READY_NONE

Result = TypeVar("Result")

#: TCP keepalive on both ends of every connection: a dead one is noticed within 25 seconds.
_IDLE, _INTERVAL, _COUNT = 10, 5, 3
_SILENT_SECONDS = _IDLE + _INTERVAL * _COUNT

#: The same as options of libpq.
CLIENT_OPTIONS = {
    "keepalives_idle": _IDLE,
    "keepalives_interval": _INTERVAL,
    "keepalives_count": _COUNT,
    "tcp_user_timeout": _SILENT_SECONDS * 1000,
}

#: The same as options of the server, so that a lost client's locks do not stay for hours.
SERVER_OPTIONS = (
    f"-c tcp_keepalives_idle={_IDLE}",
    f"-c tcp_keepalives_interval={_INTERVAL}",
    f"-c tcp_keepalives_count={_COUNT}",
    f"-c tcp_user_timeout={_SILENT_SECONDS * 1000}",
)


class PatientConnection(psycopg.Connection[Any]):
    """Gives up on a statement that is not answered within ``patience`` seconds, and closes."""

    #: Seconds; set after connecting, which has a limit of its own.
    patience: float | None = None

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:  # noqa: ANN401
        """Wait as the parent class does, but not longer than ``patience``.

        Raises:
            psycopg.OperationalError: No answer; whether the statement was carried out is unknown.
        """
        if self.patience is not None:
            gen = self._within(gen, self.patience)
        return super().wait(gen, *args, **kwargs)

    def _within(self, gen: PQGen[Result], seconds: float) -> PQGen[Result]:
        end = time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == READY_NONE and time.monotonic() > end:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer within {seconds:g} s")
                wanted = gen.send(ready)
        except StopIteration as stop:
            result: Result = stop.value
            return result
