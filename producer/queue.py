"""What waits in a pool."""

from __future__ import annotations

from db import seen
from db.seen import Queued
from producer.pool import Pool


def waiting(pool: Pool) -> list[Queued]:
    """Images that wait or are in hand, by owner and class."""
    with pool.database.read() as session:
        return seen.queued(session)
