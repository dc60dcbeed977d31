"""How a batch is read, as it changes: every version, who said so, and when."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from db import readings
from db.readings import ReadingChange, Stored
from maskpool.errors import Conflict, NotFound
from maskpool.reading import Reading, reading_of
from producer.pool import Pool


class Stale(Conflict):
    """Somebody else changed it since it was read."""


@dataclass(frozen=True, slots=True)
class BatchReading:
    """How a batch is read now.

    Attributes:
        version: 0 where it was never changed through the door.
        reading: What counts.
    """

    version: int
    reading: Reading

    @property
    def etag(self) -> str:
        """What stands for exactly this; the command line changes it without a new version."""
        text = json.dumps([self.version, self.reading.dump()], sort_keys=True)
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def current(pool: Pool, batch_id: UUID) -> BatchReading:
    """How a batch is read now.

    Raises:
        NotFound: It is gone.
    """
    with pool.database.read() as session:
        return _read(readings.find(session, batch_id), batch_id)


def history(pool: Pool, batch_id: UUID) -> list[ReadingChange]:
    """Every version, the latest first."""
    with pool.database.read() as session:
        return readings.history(session, batch_id)


def change(
    pool: Pool,
    batch_id: UUID,
    reading: Reading,
    *,
    user_id: int,
    fits: Callable[[str], bool] = lambda _: True,
) -> BatchReading:
    """Read a batch in another way from now on; no image is looked at again.

    Args:
        pool: Where it is.
        batch_id: Which.
        reading: What counts.
        user_id: Who says so.
        fits: Whether the change is meant for what has this ``etag``.

    Raises:
        NotFound: It is gone.
        SpecError: The reading names a prompt that the batch has not.
        Stale: It is not meant for what is there now.
    """
    with pool.database.write() as session:
        found = readings.find(session, batch_id, lock=True)
        before = _read(found, batch_id)
        if not fits(before.etag):
            raise Stale("somebody changed how it is read since you read it; read it again")
        assert found is not None  # noqa: S101 - _read says so
        reading.require_prompts(frozenset(prompt["name"] for prompt in found.spec["prompts"]))
        if reading == before.reading:
            return before
        readings.append(session, batch_id, found.version + 1, reading, user_id)
    return BatchReading(found.version + 1, reading)


def _read(found: Stored | None, batch_id: UUID) -> BatchReading:
    if found is None:
        raise NotFound(f"batch {batch_id} is gone")
    return BatchReading(found.version, reading_of(found.spec, found.reading))
