"""Answers that were given, by user and key: the same request again gets the same answer."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import IdempotencyRow
from db.session import is_postgres

#: A request that is in flight for longer was lost with its process, and may be made again.
_LOST_MS = 60_000


class Known(NamedTuple):
    """A request that was made before.

    Attributes:
        status: HTTP status of its answer; None while it is in flight.
        answer: JSON.
    """

    route: str
    request_hash: str
    status: int | None
    answer: Any


def begin(session: Session, user_id: int, key: str, route: str, request_hash: str) -> Known | None:
    """Note that a request is in flight; None where nobody made it before.

    Args:
        session: Of a transaction that commits before the request is worked on.
        user_id: Who asks.
        key: As they chose it.
        route: Method and path.
        request_hash: SHA-256 of the body, as hex digits.
    """
    dialect: Any = postgresql if is_postgres(session) else sqlite
    values = {"user_id": user_id, "key": key, "route": route, "request_hash": request_hash}
    new = dialect.insert(IdempotencyRow).values(**values, created_at=now_ms())
    made = session.execute(new.on_conflict_do_nothing().returning(IdempotencyRow.key)).first()
    if made is not None:
        return None
    mine = (IdempotencyRow.user_id == user_id, IdempotencyRow.key == key)
    lost = session.execute(
        update(IdempotencyRow)
        .where(
            *mine,
            IdempotencyRow.status.is_(None),
            IdempotencyRow.created_at < now_ms() - _LOST_MS,
            IdempotencyRow.route == route,
            IdempotencyRow.request_hash == request_hash,
        )
        .values(created_at=now_ms())
        .returning(IdempotencyRow.key)
    ).first()
    if lost is not None:
        return None
    row = session.execute(
        select(
            *(IdempotencyRow.route, IdempotencyRow.request_hash),
            *(IdempotencyRow.status, IdempotencyRow.answer),
        ).where(*mine)
    ).one()
    return Known(*row)


def finish(session: Session, user_id: int, key: str, status: int, answer: Any) -> None:  # noqa: ANN401 - JSON
    """Keep the answer to a request."""
    session.execute(
        update(IdempotencyRow)
        .where(IdempotencyRow.user_id == user_id, IdempotencyRow.key == key)
        .values(status=status, answer=answer)
    )


def forget(session: Session, user_id: int, key: str) -> None:
    """A request that was refused may be made again."""
    session.execute(
        delete(IdempotencyRow).where(
            IdempotencyRow.user_id == user_id,
            IdempotencyRow.key == key,
            IdempotencyRow.status.is_(None),
        )
    )
