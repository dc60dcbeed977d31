"""Rows of tokens, by which scripts come in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import TokenRow, UserRow
from maskpool.domain import new_id


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without its secret; times are milliseconds since 1970.

    Attributes:
        id: Of the row.
        name: For people.
        prefix: Its first characters.
        scopes: Words of rights, separated by blanks.
        created_at: When it was made.
        expires_at: None where it does not expire.
        used_at: When it was last used, to a minute; None where it never was.
        revoked_at: None where it was not revoked.
    """

    id: UUID
    name: str
    prefix: str
    scopes: str
    created_at: int
    expires_at: int | None
    used_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token that counts, found by its hash.

    Attributes:
        id: Of the row.
        user_id: Whose.
        scopes: Words of rights, separated by blanks.
        left_ms: How long it still counts; None where it does not expire.
        unused_ms: How long ago its row was last marked as used; None where it never was.
    """

    id: UUID
    user_id: int
    scopes: str
    left_ms: int | None
    unused_ms: int | None


_COUNTING = (
    select(
        *(TokenRow.id, TokenRow.user_id, TokenRow.scopes),
        (TokenRow.expires_at - now_ms()).label("left_ms"),
        (now_ms() - TokenRow.used_at).label("unused_ms"),
    )
    .join(UserRow, UserRow.id == TokenRow.user_id)
    .where(
        TokenRow.revoked_at.is_(None),
        or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > now_ms()),
        UserRow.deactivated_at.is_(None),
    )
)

_FIND = _COUNTING.add_columns(TokenRow.secret_hash).where(
    TokenRow.secret_hash.in_(bindparam("hashes", expanding=True))
)


def create(
    session: Session,
    *,
    user_id: int,
    name: str,
    prefix: str,
    secret_hash: str,
    scopes: str,
    life_ms: int | None,
) -> Token:
    """Write a new token down; ``life_ms`` is None where it does not expire."""
    token_id = new_id()
    session.execute(
        insert(TokenRow).values(
            id=token_id,
            user_id=user_id,
            name=name,
            prefix=prefix,
            secret_hash=secret_hash,
            scopes=scopes,
            created_at=now_ms(),
            expires_at=None if life_ms is None else now_ms() + life_ms,
        )
    )
    return next(one for one in listing(session, user_id) if one.id == token_id)


def find(session: Session, hashes: Collection[str]) -> dict[str, FoundToken]:
    """Tokens by their hashes; without those that are over, revoked, or of somebody deactivated."""
    rows = session.connection().execute(_FIND, {"hashes": list(hashes)}) if hashes else ()
    return {secret_hash: FoundToken(*found) for *found, secret_hash in rows}


def mark_used(session: Session, token_id: UUID) -> None:
    """Say that a token was used now."""
    session.execute(update(TokenRow).where(TokenRow.id == token_id).values(used_at=now_ms()))


def listing(session: Session, user_id: int) -> list[Token]:
    """Somebody's tokens, the latest first; also those that are over or revoked."""
    rows = session.execute(
        select(
            *(TokenRow.id, TokenRow.name, TokenRow.prefix, TokenRow.scopes, TokenRow.created_at),
            *(TokenRow.expires_at, TokenRow.used_at, TokenRow.revoked_at),
        )
        .where(TokenRow.user_id == user_id)
        .order_by(TokenRow.created_at.desc(), TokenRow.id.desc())
    )
    return [Token(*row) for row in rows]


def revoke(session: Session, user_id: int, token_id: UUID) -> str | None:
    """End one of somebody's tokens for ever.

    Returns:
        Its first characters; None where they have no such one.
    """
    return session.execute(
        update(TokenRow)
        .where(TokenRow.id == token_id, TokenRow.user_id == user_id)
        .values(revoked_at=func.coalesce(TokenRow.revoked_at, now_ms()))
        .returning(TokenRow.prefix)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
