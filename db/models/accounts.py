"""The tables of who is there and what they may: users, teams, sessions, tokens, grants, the log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BigId


class UserRow(Base):
    """Someone who submits, and their share of the pool."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    #: Of the first version, read by nobody; it goes with the next migration that contracts.
    role: Mapped[str] = mapped_column(server_default="labeler")
    #: Share of the pool relative to the others.
    weight: Mapped[float] = mapped_column(server_default="1")
    #: Likewise; ``TokenRow`` holds tokens.
    token_hash: Mapped[str | None]
    #: GPU-seconds over weight: whoever has the least is served next.
    virtual_time: Mapped[float] = mapped_column(server_default="0")
    #: Of argon2, with its parameters; NULL: nobody can log in by a password.
    password_hash: Mapped[str | None]
    #: Of the whole pool.
    admin: Mapped[bool] = mapped_column(server_default=false())
    #: From then on no session, token or password of theirs counts.
    deactivated_at: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("weight > 0", name="weight"),)


class TeamRow(Base):
    """People who see each other's batches."""

    __tablename__ = "teams"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[int] = mapped_column(BigInteger)


class MembershipRow(Base):
    """Somebody's place in a team."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), primary_key=True)
    team_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("teams.id"), primary_key=True)
    #: ``producer.accounts.rights.Role``: viewer, annotator or owner.
    role: Mapped[str]


class SessionRow(Base):
    """One browser that is logged in; the row goes when it is logged out or revoked."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    #: SHA-256 of the cookie's secret, as hex digits.
    secret_hash: Mapped[str] = mapped_column(unique=True)
    #: The browser, as it names itself; for people.
    agent: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class TokenRow(Base):
    """A script's way in, for one user and no more than its scopes."""

    __tablename__ = "tokens"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    name: Mapped[str]
    #: Its first characters, by which people and secret scanners know it.
    prefix: Mapped[str]
    #: SHA-256 of the whole token, as hex digits.
    secret_hash: Mapped[str] = mapped_column(unique=True)
    #: ``producer.accounts.rights.Right`` words, separated by blanks.
    scopes: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    #: NULL: it does not expire.
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class SourceGrantRow(Base):
    """A place outside the store that a team may read images from."""

    __tablename__ = "source_grants"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    team_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("teams.id"), index=True)
    #: ``bucket`` or ``host``.
    kind: Mapped[str]
    #: ``bucket/prefix/``, a host's name, or ``*.name`` for every host below it.
    place: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("team_id", "kind", "place"),
        CheckConstraint("kind IN ('bucket', 'host')", name="kind"),
    )


class IdempotencyRow(Base):
    """An answer that was given, so that the same request again gets it again."""

    __tablename__ = "idempotency"

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: Method and path.
    route: Mapped[str]
    #: SHA-256 of the body, as hex digits.
    request_hash: Mapped[str]
    #: HTTP status of the answer; NULL while the first request is in flight.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[int] = mapped_column(BigInteger, index=True)


class AuditRow(Base):
    """Who did what; triggers refuse every change and deletion."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger)
    #: NULL where nobody is known, as at a failed log-in.
    user_id: Mapped[int | None] = mapped_column(BigId)
    #: Their name then.
    user_name: Mapped[str] = mapped_column(server_default="")
    #: ``token.create``, ``batch.delete``, …
    action: Mapped[str]
    #: Id or name of what it was done to.
    target: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (Index("ix_audit_log_at", "at"),)
