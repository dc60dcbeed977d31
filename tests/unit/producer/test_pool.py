"""One open pool: what its use cases share."""

from __future__ import annotations

from typing import cast

from db.session import Database
from maskpool.settings import Settings
from producer.pool import Pool


def test_its_store_is_opened_once() -> None:
    settings = Settings(store_url="s3://bucket/pool", s3_endpoint_url="http://127.0.0.1:1")
    pool = Pool(settings, cast("Database", None))
    assert pool.store() is pool.store(), "a client of S3 for each request would take 0.1 s of each"
