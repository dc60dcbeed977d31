"""Taking, keeping and finishing a chunk on Postgres: one statement each.

Arrays go as text literals, which costs the least on both sides. Taking joins a generated series and
not a range of ``seq``: for a range the planner assumes a ninth of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.chunks.records import (
    INSTANCE_COLUMNS,
    RARE_COLUMNS,
    Done,
    JobEnd,
    TakenChunk,
    counts,
    have_rare,
    instance_values,
)
from db.clock import POSTGRES_NOW_MS as _NOW_MS
from db.postgres.copy_in import copy_in
from maskpool.domain import ChunkState, Job, JobState

# Only numbers of states and the clock's expression are put into these texts.
_TAKE = f"""
WITH mine AS (
  UPDATE chunks SET state = {ChunkState.RUNNING:d}, worker = %(worker)s,
         lease_until = {_NOW_MS} + %(lease_ms)s
   WHERE id = %(id)s AND solo = %(solo)s
     AND (state = {ChunkState.QUEUED:d}
          OR (state = {ChunkState.RUNNING:d} AND worker = %(worker)s))
  RETURNING batch_id, lo, hi, seqs)
SELECT mine.batch_id, batches.spec, waiting.seqs, waiting.names, waiting.uris, waiting.attempts,
       waiting.prompts
  FROM mine JOIN batches ON batches.id = mine.batch_id
 CROSS JOIN LATERAL (
  SELECT array_agg(one.seq) AS seqs, array_agg(one.name) AS names,
         array_agg(one.image_uri) AS uris, array_agg(one.attempts) AS attempts,
         array_agg(one.prompts) AS prompts
    FROM (SELECT jobs.seq, jobs.name, jobs.image_uri, jobs.attempts, jobs.prompts
            FROM unnest(coalesce(mine.seqs, ARRAY(SELECT generate_series(mine.lo, mine.hi - 1))))
                 AS asked(seq)
            JOIN jobs ON jobs.batch_id = mine.batch_id AND jobs.seq = asked.seq
           WHERE jobs.state = {JobState.WAITING:d}
           ORDER BY jobs.seq) AS one) AS waiting
"""  # noqa: S608

_EXTEND = f"""
UPDATE chunks SET lease_until = {_NOW_MS} + %(lease_ms)s
 WHERE id = ANY(%(ids)s::uuid[]) AND worker = %(worker)s AND state = {ChunkState.RUNNING:d}
RETURNING id, (SELECT state FROM batches WHERE batches.id = chunks.batch_id)
"""  # noqa: S608

_FINISH = f"""
WITH mine AS (
  UPDATE chunks SET state = {ChunkState.DONE:d}, done = %(done)s, failed = %(failed)s,
         gpu_seconds = %(gpu_seconds)s, lease_until = NULL
   WHERE id = %(id)s AND state = {ChunkState.RUNNING:d} AND worker = %(worker)s
  RETURNING batch_id),
ended AS (
  UPDATE jobs
     SET state = new.state, attempts = new.attempts,
         next_at = CASE WHEN new.state = {JobState.RETRY:d} THEN {_NOW_MS} + new.delay END,
         masks_key = CASE WHEN new.state = {JobState.DONE:d} THEN %(masks_key)s END,
         masks_offset = new.masks_offset, masks_length = new.masks_length,
         width = new.width, height = new.height, n_instances = new.n_instances, error = new.error
    FROM mine, unnest(%(seq)s::int[], %(state)s::smallint[], %(attempts)s::smallint[],
                      %(delay)s::bigint[], %(masks_offset)s::int[], %(masks_length)s::int[],
                      %(width)s::int[], %(height)s::int[], %(n_instances)s::int[],
                      %(error)s::text[])
               AS new(seq, state, attempts, delay, masks_offset, masks_length, width, height,
                      n_instances, error)
   WHERE jobs.batch_id = mine.batch_id AND jobs.seq = new.seq)
SELECT batch_id FROM mine
"""  # noqa: S608

_COPY = "COPY instances ({}) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ("uuid", "int4", "int2", "int2", *("int4",) * 5, *("float4",) * 3)
_RARE_TYPES = ("float4", "float4", "int2", "int2", "float4")

#: Statement and types without the rare columns, and with them.
_COPIES = {
    False: (_COPY.format(", ".join(INSTANCE_COLUMNS)), _COPY_TYPES),
    True: (
        _COPY.format(", ".join((*INSTANCE_COLUMNS, *RARE_COLUMNS))),
        (*_COPY_TYPES, *_RARE_TYPES),
    ),
}


def take(
    session: Session, chunk_id: UUID, worker: UUID, *, solo: bool, lease_ms: int
) -> TakenChunk | None:
    """``db.chunks.take``."""
    asked = {"id": chunk_id, "worker": worker, "solo": solo, "lease_ms": lease_ms}
    row = session.connection().exec_driver_sql(_TAKE, asked).one_or_none()
    if row is None:
        return None
    batch_id, spec, *columns = row
    # Without jobs, each array is NULL and not empty.
    jobs = tuple(map(Job, *(column or () for column in columns)))
    return TakenChunk(batch_id, chunk_id, spec, jobs)


def extend(
    session: Session, worker: UUID, chunk_ids: Sequence[UUID], lease_ms: int
) -> Sequence[Row[UUID, int]]:
    """``db.chunks.extend``; pairs of a chunk and its batch's state."""
    ids = "{" + ",".join(map(str, chunk_ids)) + "}"
    asked = {"ids": ids, "worker": worker, "lease_ms": lease_ms}
    return session.connection().exec_driver_sql(_EXTEND, asked).all()


def finish(
    session: Session, worker: UUID, chunk_id: UUID, ends: Sequence[JobEnd], gpu_seconds: float
) -> bool:
    """``db.chunks.finish``; False where the chunk is not ours any more."""
    done, failed = counts(ends)
    asked = {"id": chunk_id, "worker": worker, "gpu_seconds": gpu_seconds}
    asked |= {"done": done, "failed": failed, **_columns(ends)}
    row = session.connection().exec_driver_sql(_FINISH, asked).one_or_none()
    if row is not None and any(isinstance(end, Done) and end.instances for end in ends):
        _copy_instances(session, row.batch_id, ends)
    return row is not None


def _columns(ends: Sequence[JobEnd]) -> dict[str, Any]:
    rows = [end.row() for end in ends]
    errors = [row.error for row in rows]
    return {
        "seq": _literal(end.seq for end in ends),
        "state": _literal(int(row.state) for row in rows),
        "attempts": _literal(row.attempts for row in rows),
        "delay": _literal(row.delay_ms for row in rows),
        # A chunk's jobs share its one object.
        "masks_key": next((row.masks_key for row in rows if row.masks_key), None),
        "masks_offset": _literal(row.masks_offset for row in rows),
        "masks_length": _literal(row.masks_length for row in rows),
        "width": _literal(row.width for row in rows),
        "height": _literal(row.height for row in rows),
        "n_instances": _literal(row.n_instances for row in rows),
        "error": errors if any(errors) else None,
    }


def _literal(numbers: Iterable[int | None]) -> str:
    return "{" + ",".join(["NULL" if one is None else str(one) for one in numbers]) + "}"


def _copy_instances(session: Session, batch_id: UUID, ends: Sequence[JobEnd]) -> None:
    rare = have_rare(ends)
    statement, types = _COPIES[rare]
    with copy_in(session, statement) as copy:
        copy.set_types(types)
        for values in instance_values(batch_id, ends, rare=rare):
            copy.write_row(values)
