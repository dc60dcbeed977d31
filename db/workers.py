"""Which workers are alive, how fast those of each model are, and what they can do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import WorkerRow
from db.session import is_postgres
from maskpool.abilities import Ability
from maskpool.fairness import Fleet

#: A worker without a heartbeat for this long is not counted as living.
ALIVE_MS = 10_000

#: Rows of workers gone for this long are swept.
FORGET_MS = 24 * 3600 * 1000


_FLEETS = (
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
        name: bindparam(name)
        for name in ("name", "device", "model", "threads", "images_per_s", "abilities")
    }
    values = {**said, "seen_at": now_ms()}
    return (
        insert(WorkerRow)
        .values(id=bindparam("id"), **values)
        .on_conflict_do_update(index_elements=[WorkerRow.id], set_=values)
    )


_ANNOUNCE_POSTGRES, _ANNOUNCE_SQLITE = _announce(postgresql.insert), _announce(sqlite.insert)


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself with each heartbeat.

    Attributes:
        id: New for each process.
        name: Host and process, for people.
        device: As torch writes it.
        model: Alias of its models.
        threads: Chunks that it may hold at once.
        images_per_s: Lately; None before the first image.
        abilities: What it can do beside looking for texts; kept as words between blanks. A word
            that this version does not know is passed over: a newer worker may announce it.
    """

    id: UUID
    name: str
    device: str
    model: str
    threads: int
    images_per_s: float | None = None
    abilities: frozenset[Ability] = frozenset()


def announce(session: Session, info: WorkerInfo) -> None:
    """Write that a worker lives."""
    statement = _ANNOUNCE_POSTGRES if is_postgres(session) else _ANNOUNCE_SQLITE
    words = " ".join(sorted(info.abilities))
    session.connection().execute(statement, {**asdict(info), "abilities": words})


def retire(session: Session, worker_id: UUID) -> None:
    """Remove the row of a worker that stops, so that nobody plans with it."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


def fleets(session: Session) -> dict[str, Fleet]:
    """The living workers of each model."""
    rows = session.connection().execute(_FLEETS)
    return {model: Fleet(*values) for model, *values in rows}


def alive(session: Session) -> list[WorkerInfo]:
    """The living workers, by name."""
    rows = session.scalars(
        select(WorkerRow).where(WorkerRow.seen_at > now_ms() - ALIVE_MS).order_by(WorkerRow.name)
    )
    return [
        WorkerInfo(
            *(row.id, row.name, row.device, row.model, row.threads, row.images_per_s),
            abilities=_known(row.abilities),
        )
        for row in rows
    ]


def _known(words: str) -> frozenset[Ability]:
    said = words.split()
    return frozenset(ability for ability in Ability if ability in said)


def forget_old(session: Session) -> None:
    """Sweep the rows of workers that are long gone."""
    session.execute(delete(WorkerRow).where(WorkerRow.seen_at < now_ms() - FORGET_MS))
