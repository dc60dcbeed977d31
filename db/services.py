"""Which dispatchers and clerks live. Workers are in ``db.workers``: they are planned with."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import ServiceRow

DISPATCHER = "dispatcher"
CLERK = "clerk"
WEB = "web"

#: How often a service says that it lives: one small commit, so an idle stack on SQLite still only
#: reads nearly all of the time.
BEAT_SECONDS = 10.0

#: A service that gave no sign for three times ``BEAT_SECONDS`` does not count as living.
ALIVE_MS = 30_000

#: Rows of services gone for this long are swept.
FORGET_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """A service, and how long ago it last said that it lives.

    Attributes:
        seconds_ago: By the database's clock.
    """

    name: str
    seconds_ago: float

    @property
    def alive(self) -> bool:
        """Whether it counts as living."""
        return self.seconds_ago * 1000 < ALIVE_MS


def announce(session: Session, service_id: UUID, kind: str, name: str) -> None:
    """Write that a service lives."""
    known = session.execute(
        update(ServiceRow)
        .where(ServiceRow.id == service_id)
        .values(seen_at=now_ms())
        .returning(ServiceRow.id)
    ).one_or_none()
    if known is None:
        now = session.scalar(select(now_ms()))
        session.add(ServiceRow(id=service_id, kind=kind, name=name, started_at=now, seen_at=now))


def retire(session: Session, service_id: UUID) -> None:
    """A service that stops says so."""
    session.execute(delete(ServiceRow).where(ServiceRow.id == service_id))


def seen(session: Session, kind: str) -> list[Seen]:
    """Every service of a kind that is not forgotten, the one seen last first."""
    rows = session.execute(
        select(ServiceRow.name, now_ms() - ServiceRow.seen_at)
        .where(ServiceRow.kind == kind)
        .order_by(ServiceRow.seen_at.desc(), ServiceRow.name)
    )
    return [Seen(name, age_ms / 1000) for name, age_ms in rows]


def forget_old(session: Session) -> None:
    """Sweep the rows of services that are long gone."""
    session.execute(delete(ServiceRow).where(ServiceRow.seen_at < now_ms() - FORGET_MS))
