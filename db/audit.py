"""Rows of the audit log, which only grows: triggers refuse every change and deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import AuditRow


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what.

    Attributes:
        id: Grows with time.
        at: Milliseconds since 1970.
        user_id: None where nobody is known.
        user_name: Their name then.
        action: ``token.create``, ``batch.delete``, …
        target: Id or name of what it was done to.
        detail: What else is to be known, without secrets.
    """

    id: int
    at: int
    user_id: int | None
    user_name: str
    action: str
    target: str
    detail: dict[str, Any] | None


def append(
    session: Session,
    *,
    user_id: int | None,
    user_name: str,
    action: str,
    target: str,
    detail: dict[str, Any] | None,
) -> None:
    """Write one line down."""
    session.execute(
        insert(AuditRow).values(
            at=now_ms(),
            user_id=user_id,
            user_name=user_name,
            action=action,
            target=target,
            detail=detail,
        )
    )


def page(session: Session, *, before: int | None, limit: int) -> list[Entry]:
    """The latest entries, newest first.

    Args:
        session: Its transaction.
        before: Only those with a smaller id; None for the newest of all.
        limit: At most so many.
    """
    query = select(
        *(AuditRow.id, AuditRow.at, AuditRow.user_id, AuditRow.user_name),
        *(AuditRow.action, AuditRow.target, AuditRow.detail),
    )
    if before is not None:
        query = query.where(AuditRow.id < before)
    return [Entry(*row) for row in session.execute(query.order_by(AuditRow.id.desc()).limit(limit))]
