"""What happened, kept by the database itself: triggers log each end of a job and a chunk's steps.

Rows that are overwritten tell nothing of the write before. The log does, and as it is written in
the transaction that it tells of, only what was committed is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from db.session import Database
from maskpool.domain import ChunkState

_TABLE = """
CREATE TABLE history (at BIGINT NOT NULL, what TEXT NOT NULL, batch_id TEXT, seq INTEGER,
                      chunk_id TEXT, worker TEXT, size INTEGER, solo INTEGER)
"""

_POSTGRES = (
    """
CREATE FUNCTION tell_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO history VALUES (CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT),
    'ended', CAST(NEW.batch_id AS TEXT), NEW.seq, NULL, NULL, NULL, NULL);
  RETURN NULL;
END $$""",
    """
CREATE FUNCTION tell_chunk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO history VALUES (CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT),
    CAST(NEW.state AS TEXT), CAST(NEW.batch_id AS TEXT), NULL, CAST(NEW.id AS TEXT),
    CAST(NEW.worker AS TEXT), NEW.size, CAST(NEW.solo AS INTEGER));
  RETURN NULL;
END $$""",
    """
CREATE TRIGGER tell_job AFTER UPDATE OF state ON jobs FOR EACH ROW WHEN (NEW.state IN (2, 3, 4))
EXECUTE FUNCTION tell_job()""",
    """
CREATE TRIGGER tell_chunk AFTER INSERT OR UPDATE OF state ON chunks FOR EACH ROW
EXECUTE FUNCTION tell_chunk()""",
)

_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_SQLITE_CHUNK = f"""
BEGIN
  INSERT INTO history VALUES ({_SQLITE_NOW}, CAST(NEW.state AS TEXT), NEW.batch_id, NULL, NEW.id,
    NEW.worker, NEW.size, NEW.solo);
END"""
_SQLITE = (
    f"""
CREATE TRIGGER tell_job AFTER UPDATE OF state ON jobs WHEN NEW.state IN (2, 3, 4) BEGIN
  INSERT INTO history VALUES ({_SQLITE_NOW}, 'ended', NEW.batch_id, NEW.seq, NULL, NULL, NULL,
    NULL);
END""",
    f"CREATE TRIGGER tell_claim AFTER INSERT ON chunks {_SQLITE_CHUNK}",
    f"CREATE TRIGGER tell_chunk AFTER UPDATE OF state ON chunks {_SQLITE_CHUNK}",
)


@dataclass(frozen=True)
class Step:
    """A chunk came into a state."""

    at_ms: int
    state: ChunkState
    batch_id: UUID
    chunk_id: UUID
    worker: UUID | None
    size: int
    solo: bool


def keep(database: Database) -> None:
    """Begin to write the history."""
    with database.write() as session:
        for statement in (_TABLE, *(_POSTGRES if database.is_postgres else _SQLITE)):
            session.connection().exec_driver_sql(statement)


def times_ended(database: Database, batch_ids: Collection[UUID]) -> Counter[tuple[UUID, int]]:
    """How often each job was written as ended; once is right."""
    with database.read() as session:
        rows = session.execute(text("SELECT batch_id, seq FROM history WHERE what = 'ended'")).all()
    return Counter((UUID(one), seq) for one, seq in rows if UUID(one) in batch_ids)


def claims_since(database: Database, at_ms: int) -> bool:
    """Whether a chunk was claimed behind a moment."""
    query = text("SELECT 1 FROM history WHERE what = :queued AND at > :at LIMIT 1")
    with database.read() as session:
        queued = str(int(ChunkState.QUEUED))
        return session.scalar(query, {"at": at_ms, "queued": queued}) is not None


def first_end_after(database: Database, at_ms: int) -> int | None:
    """When a job's end was first committed behind a moment."""
    query = text("SELECT min(at) FROM history WHERE what = 'ended' AND at > :at")
    with database.read() as session:
        found: int | None = session.scalar(query, {"at": at_ms})
    return found


def steps(database: Database, since_ms: int = 0) -> list[Step]:
    """Every step of every chunk, in the order of the clock."""
    with database.read() as session:
        rows = session.execute(
            text(
                "SELECT at, what, batch_id, chunk_id, worker, size, solo FROM history "
                "WHERE chunk_id IS NOT NULL AND at >= :since ORDER BY at"
            ),
            {"since": since_ms},
        ).all()
    return [
        Step(
            at,
            ChunkState(int(what)),
            UUID(batch),
            UUID(chunk),
            UUID(worker) if worker else None,
            size,
            bool(solo),
        )
        for at, what, batch, chunk, worker, size, solo in rows
    ]


def until_expired(told: Sequence[Step], lost: Collection[tuple[UUID | None, int]]) -> list[float]:
    """Seconds from the loss of a worker to the return of each chunk that it held."""
    seconds = []
    for step in told:
        if step.state == ChunkState.EXPIRED:
            before = [at for worker, at in lost if worker == step.worker and at <= step.at_ms]
            seconds += [(step.at_ms - max(before)) / 1000] if before else []
    return seconds


def until_taken(told: Sequence[Step], faults: Sequence[tuple[int, int]]) -> list[float]:
    """Seconds from the return of a broker until each chunk that it had lost was taken.

    Args:
        told: What happened.
        faults: When the broker went, and when it was back. Of several that a chunk waited through,
            the last one counts.
    """
    claimed: dict[UUID, int] = {}
    seconds = []
    for step in told:
        if step.state == ChunkState.QUEUED:
            claimed[step.chunk_id] = step.at_ms
        elif step.state == ChunkState.RUNNING and step.chunk_id in claimed:
            since = claimed.pop(step.chunk_id)
            backs = [back for gone, back in faults if since < gone and back <= step.at_ms]
            seconds += [(step.at_ms - max(backs)) / 1000] if backs else []
    return seconds


def until_claimed(told: Sequence[Step], killed: Sequence[int]) -> list[float]:
    """Seconds from the death of a dispatcher to the next claim, where it came before the next."""
    claims = [step.at_ms for step in told if step.state == ChunkState.QUEUED]
    seconds = []
    for at, following in zip(killed, [*killed[1:], None], strict=True):
        behind = [one for one in claims if at < one and (following is None or one < following)]
        seconds += [(min(behind) - at) / 1000] if behind else []
    return seconds


def longest_wait(told: Sequence[Step]) -> float:
    """Seconds that a chunk waited between its claim and a worker, at most."""
    claimed = {step.chunk_id: step.at_ms for step in told if step.state == ChunkState.QUEUED}
    waits = [
        step.at_ms - claimed.pop(step.chunk_id)
        for step in told
        if step.state == ChunkState.RUNNING and step.chunk_id in claimed
    ]
    return max(waits, default=0) / 1000
