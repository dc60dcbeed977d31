"""The database's clock: the only one that decides about leases and back-offs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

#: clock_timestamp, not now(): a transaction may wait for a lock for a while.
POSTGRES_NOW_MS = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


class now_ms(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """Milliseconds since 1970 at the moment the statement runs."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "postgresql")
def _postgresql(*_: Any, **__: Any) -> str:  # noqa: ANN401
    return POSTGRES_NOW_MS


@compiles(now_ms, "sqlite")
def _sqlite(*_: Any, **__: Any) -> str:  # noqa: ANN401
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
