"""A worker with a bug: it writes although its lease is over. The tests must see that."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

# Run as a script: the tests' folder holds `faults`, `hostile` and `services`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.scripts.timed_worker import serve

from db import chunks
from db.chunks import JobEnd, TakenChunk, sqlite
from maskpool.errors import LeaseLost
from workers.leases import Holding

_take, _finish = chunks.take, chunks.finish
_batches: dict[UUID, UUID] = {}


def _take_and_remember(session: Session, chunk_id: UUID, *args: object, **how: object) -> object:
    taken: TakenChunk | None = _take(session, chunk_id, *args, **how)
    if taken is not None:
        _batches[chunk_id] = taken.batch_id
    return taken


def _finish_whosesoever(
    session: Session, worker: UUID, chunk_id: UUID, ends: Sequence[JobEnd], *, gpu_seconds: float
) -> None:
    try:
        _finish(session, worker, chunk_id, ends, gpu_seconds=gpu_seconds)
    except LeaseLost:
        sqlite.end_jobs(session, _batches[chunk_id], ends)


if __name__ == "__main__":
    chunks.take, chunks.finish = _take_and_remember, _finish_whosesoever
    Holding.mine = property(lambda _: True)
    # Or images that the engine had not begun when it was frozen would be given back.
    Holding.lose = lambda _: None
    serve()
