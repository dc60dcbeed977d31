"""A client that stands still inside a transaction: a frozen process, a machine without power."""

from __future__ import annotations

import pytest
from services.command_line import until
from services.plain_pool import PlainPool
from services.rows import unfolded_chunks

from db import chunks
from db import session as sessions
from db.chunks import reap
from db.session import Database
from maskpool.errors import Unreachable
from storage.objects import open_store


def test_a_chunk_locked_by_a_frozen_client_is_reaped(
    postgres_url: str, folder_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row lock would otherwise outlive its lease by as long as the connection lives."""
    well = Database(postgres_url)
    monkeypatch.setattr(sessions, "_FROZEN_MS", 1_000)
    frozen = Database(postgres_url)
    pool = PlainPool(well, open_store(folder_store_url))
    pool.submit(3)
    [message] = pool.tick()
    pool.take(message, lease_ms=1)

    def reaped() -> bool:
        with well.write() as session:
            return reap.reap_one(session, 30_000)

    def stand_still() -> None:
        with frozen.write() as session:
            chunks.extend(session, pool.worker_id, [message.chunk_id], lease_ms=1)
            assert not reaped(), "the lock holds"
            until(reaped, seconds=10, what="the reaper's turn")
            chunks.extend(session, pool.worker_id, [message.chunk_id], lease_ms=1)

    with pytest.raises(Unreachable, match="connection was lost"):
        stand_still()
    with frozen.read() as session:  # and the process goes on over a new connection
        assert unfolded_chunks(session) == 1
    pool.drain()
    frozen.close()
    well.close()
