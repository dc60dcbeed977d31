"""Which workers live, and how fast the slowest of them is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import WorkerRow

#: A worker that was not heard of for this long is not counted as living.
ALIVE_MS = 10_000

#: Rows of workers gone for this long are swept.
FORGET_MS = 24 * 3600 * 1000


_POOLS = (
    select(
        WorkerRow.model,
        func.count(),
        func.sum(WorkerRow.threads - 1),
        func.min(WorkerRow.images_per_s),
        func.avg(WorkerRow.images_per_s),
    )
    .where(WorkerRow.seen_at > now_ms() - ALIVE_MS)
    .group_by(WorkerRow.model)
)


def _announce(insert: Any) -> Any:  # noqa: ANN401 - two dialects' types
    said: dict[str, Any] = {
        name: bindparam(name) for name in ("name", "device", "model", "threads", "images_per_s")
    }
    values = {**said, "seen_at": now_ms()}
    return (
        insert(WorkerRow)
        .values(id=bindparam("id"), **values)
        .on_conflict_do_update(index_elements=[WorkerRow.id], set_=values)
    )


_ANNOUNCE = {
    "postgresql": _announce(postgresql.insert),
    "sqlite": _announce(sqlite.insert),
}


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself with each heartbeat."""

    id: UUID
    name: str
    device: str
    model: str
    threads: int
    images_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """The living workers of one model.

    Attributes:
        workers: How many.
        bulk_window: Bulk chunks that may be open at once: every thread but one of each worker.
        images_per_s: Of the slowest; None until one has measured itself.
        mean_images_per_s: Of those that have measured themselves; None before the first.
    """

    workers: int
    bulk_window: int
    images_per_s: float | None
    mean_images_per_s: float | None


def announce(session: Session, info: WorkerInfo) -> None:
    """Write that a worker lives."""
    statement = _ANNOUNCE[session.get_bind().dialect.name]
    session.connection().execute(statement, asdict(info))


def retire(session: Session, worker_id: UUID) -> None:
    """A worker that stops says so, and is not waited for."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


def pools(session: Session) -> dict[str, Pool]:
    """The living workers by model."""
    rows = session.connection().execute(_POOLS)
    return {model: Pool(*values) for model, *values in rows}


def alive(session: Session) -> list[WorkerInfo]:
    """The living workers, by name."""
    rows = session.scalars(
        select(WorkerRow).where(WorkerRow.seen_at > now_ms() - ALIVE_MS).order_by(WorkerRow.name)
    )
    return [
        WorkerInfo(row.id, row.name, row.device, row.model, row.threads, row.images_per_s)
        for row in rows
    ]


def forget_old(session: Session) -> None:
    """Sweep the rows of workers that are long gone."""
    session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now_ms() - FORGET_MS))
