"""A batch that is done, with rows of instances of all scores; no mask object is ever read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import insert, text, update

from db import batches
from db.batches import NewBatch
from db.clock import now_ms
from db.models import BatchRow, InstanceRow, JobRow
from db.postgres.copy_in import copy_in
from db.session import Database
from maskpool.domain import BatchState, Found, Instance, JobState, new_id
from maskpool.rle import Rle
from maskpool.spec import BatchSpec

PROMPTS = 10

SPEC = BatchSpec.read(
    {"model": "sam3", "prompts": [{"text": f"thing {n}"} for n in range(PROMPTS)]}
)

#: Instances an image, in the mean.
INSTANCES = 7

#: Images whose rows are written at once.
_BLOCK = 5_000

_JOB = ("batch_id", "seq", "name", "image_uri", "state", "masks_key", "masks_offset")
_REST = ("masks_length", "width", "height", "n_instances")
_INSTANCE = ("batch_id", "seq", "ordinal", "prompt_index", "x", "y", "w", "h", "area")
_SCORES = ("score", "overlap", "contended", "contender")


def instances(random: np.random.Generator) -> tuple[Instance, ...]:
    """Those of one image: sure ones and unsure ones, every fifth of them contended."""
    count = int(random.poisson(INSTANCES))
    prompts = random.integers(0, PROMPTS, count)
    scores = np.clip(random.beta(0.7, 0.7, count), 0.05, 1).astype(np.float32)
    order = np.lexsort((-scores, prompts))
    best = int(order[int(np.argmax(scores[order]))]) if count else 0
    place = int(np.argmax(scores[order])) if count else 0
    made = []
    for one in order:
        is_contended = prompts[one] != prompts[best] and random.random() < 0.2
        found = Found(int(prompts[one]), float(scores[one]), (1.0, 2.0, 4.0, 6.0), Rle((1, 1), "1"))
        overlap = float(np.float32(random.random() * 0.6))
        rival = (0.75, place) if is_contended else (None, None)
        made.append(Instance(found, 12, overlap, contended=rival[0], contender=rival[1]))
    return tuple(made)


def fill(database: Database, count: int) -> UUID:
    """Write a batch of ``count`` images that are DONE."""
    new = NewBatch("bench", str(new_id()), f"{count} images", SPEC.model, SPEC.dump(), "none")
    with database.write() as session:
        batch_id = batches.create_or_find(session, new).batch_id
    random = np.random.default_rng(7)
    for first in range(0, count, _BLOCK):
        seqs = range(first, min(first + _BLOCK, count))
        found = [(seq, instances(random)) for seq in seqs]
        _write(database, JobRow, (*_JOB, *_REST), _jobs(batch_id, found, count))
        _write(database, InstanceRow, (*_INSTANCE, *_SCORES), _rows(batch_id, found))
    ended = {"state": BatchState.DONE, "total": count, "loaded": count, "next_seq": count}
    with database.write() as session:
        session.execute(
            update(BatchRow)
            .where(BatchRow.id == batch_id)
            .values(**ended, done=count, finished_at=now_ms())
        )
        session.execute(text("ANALYZE"))
    return batch_id


def _jobs(
    batch_id: UUID, found: list[tuple[int, tuple[Instance, ...]]], count: int
) -> Iterator[tuple[Any, ...]]:
    key = f"{batch_id}-0123456789abcdef"
    for seq, those in found:
        # Names in another order than that of the images.
        name = f"camera/{seq * 7_919 % count:07d}.jpg"
        yield (
            *(batch_id, seq, name, f"file:///images/{name}", int(JobState.DONE), key, 200 * seq),
            *(200, 1920, 1080, len(those)),
        )


def _rows(
    batch_id: UUID, found: list[tuple[int, tuple[Instance, ...]]]
) -> Iterator[tuple[Any, ...]]:
    for seq, those in found:
        for ordinal, one in enumerate(those):
            yield (
                *(batch_id, seq, ordinal, one.found.prompt_index, 1, 2, 3, 4, one.area),
                *(one.found.score, one.overlap, one.contended, one.contender),
            )


def _write(
    database: Database, table: type, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]
) -> None:
    with database.write() as session:
        if not database.is_postgres:
            session.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])
            return
        name = table.__tablename__  # type: ignore[attr-defined]  # one of ours
        with copy_in(session, f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
