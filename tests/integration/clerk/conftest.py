"""A clerk in this process."""

from __future__ import annotations

import pytest
from services.clerk_office import Office
from services.plain_pool import PlainPool

from clerk.leases import TaskKeeper
from maskpool.domain import new_id
from producer.pool import Pool


@pytest.fixture
def office(pool: Pool, work: PlainPool) -> Office:
    keeper = TaskKeeper(
        pool.database, new_id(), "here:1", lease_seconds=30.0, heartbeat_seconds=0.1
    )
    return Office(pool, work, keeper)
