"""Rows of sessions: one for each browser that is logged in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, case, delete, insert, select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import SessionRow, UserRow
from maskpool.domain import new_id


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """One browser that is logged in; times are milliseconds since 1970.

    Attributes:
        id: Of the row.
        agent: The browser, as it names itself.
        created_at: When it was logged in.
        seen_at: When it last asked for something, to a minute.
        expires_at: When it ends, unless it asks for something before.
    """

    id: UUID
    agent: str
    created_at: int
    seen_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session that counts, found by its secret.

    Attributes:
        id: Of the row.
        user_id: Whose.
        left_ms: How long it still counts.
        unseen_ms: How long ago its row was last written.
    """

    id: UUID
    user_id: int
    left_ms: int
    unseen_ms: int


_COUNTING = (
    select(
        *(SessionRow.id, SessionRow.user_id),
        (SessionRow.expires_at - now_ms()).label("left_ms"),
        (now_ms() - SessionRow.seen_at).label("unseen_ms"),
    )
    .join(UserRow, UserRow.id == SessionRow.user_id)
    .where(
        SessionRow.expires_at > now_ms(),
        UserRow.deactivated_at.is_(None),
    )
)

_FIND = _COUNTING.add_columns(SessionRow.secret_hash).where(
    SessionRow.secret_hash.in_(bindparam("hashes", expanding=True))
)


def create(session: Session, *, user_id: int, secret_hash: str, agent: str, life_ms: int) -> UUID:
    """Log a browser in, and forget the sessions of this user that are over."""
    session.execute(
        delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.expires_at <= now_ms())
    )
    session_id = new_id()
    session.execute(
        insert(SessionRow).values(
            id=session_id,
            user_id=user_id,
            secret_hash=secret_hash,
            agent=agent,
            created_at=now_ms(),
            seen_at=now_ms(),
            expires_at=now_ms() + life_ms,
        )
    )
    return session_id


def find(session: Session, hashes: Collection[str]) -> dict[str, FoundSession]:
    """Sessions by their hashes, without those that are over, revoked, or of somebody inactive."""
    rows = session.connection().execute(_FIND, {"hashes": list(hashes)}) if hashes else ()
    return {secret_hash: FoundSession(*found) for *found, secret_hash in rows}


def extend(session: Session, session_id: UUID, *, life_ms: int, longest_ms: int) -> None:
    """Let a session count for longer, because its browser asked for something.

    Args:
        session: Its transaction.
        session_id: Which.
        life_ms: From now on.
        longest_ms: From when it was logged in on: never longer than that.
    """
    slid, end = now_ms() + life_ms, SessionRow.created_at + longest_ms
    session.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id)
        .values(seen_at=now_ms(), expires_at=case((slid < end, slid), else_=end))
        .execution_options(synchronize_session=False)
    )


def listing(session: Session, user_id: int) -> list[BrowserSession]:
    """Somebody's sessions that count, the latest first."""
    rows = session.execute(
        select(
            *(SessionRow.id, SessionRow.agent, SessionRow.created_at),
            *(SessionRow.seen_at, SessionRow.expires_at),
        )
        .where(SessionRow.user_id == user_id, SessionRow.expires_at > now_ms())
        .order_by(SessionRow.seen_at.desc())
    )
    return [BrowserSession(*row) for row in rows]


def end(session: Session, user_id: int, session_id: UUID) -> bool:
    """End one of somebody's sessions; False where they have no such one."""
    ended = session.execute(
        delete(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.user_id == user_id)
        .returning(SessionRow.id)
    )
    return ended.one_or_none() is not None


def end_all(session: Session, user_id: int, *, but: UUID | None = None) -> None:
    """End all of somebody's sessions, perhaps but one."""
    others = delete(SessionRow).where(SessionRow.user_id == user_id)
    session.execute(others if but is None else others.where(SessionRow.id != but))
