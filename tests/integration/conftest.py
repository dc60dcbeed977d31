"""What several files here need: a pool that is used as a library, and its workers' part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from services.plain_pool import PlainPool

from db.session import Database
from maskpool.settings import Settings
from producer.pool import Pool
from storage.objects import open_store

#: Nobody listens there.
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture
def pool(database_url: str, folder_store_url: str) -> Iterator[Pool]:
    settings = Settings(
        database_url=SecretStr(database_url),
        store_url=folder_store_url,
        redis_url=SecretStr(NO_BROKER),
        owner="ann",
    )
    database = Database(database_url)
    yield Pool(settings, database)
    database.close()


@pytest.fixture
def work(pool: Pool) -> PlainPool:
    return PlainPool(pool.database, open_store(pool.settings.store_url))
