"""Sessions of browsers: logged in, extended while they are used, listed, ended."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from db import accounts
from db import sessions as rows
from db.accounts import User
from db.sessions import BrowserSession
from maskpool.errors import NotFound
from maskpool.text import is_storable, one_line
from producer.accounts import audit, passwords
from producer.accounts.audit import NOBODY, Actor
from producer.accounts.caller import Caller
from producer.accounts.secret import digest, new_secret
from producer.pool import Pool

_DAY_MS = 24 * 3_600_000

#: A session that is not used ends after the first, and any session after the second.
LIFE_MS, LONGEST_MS = 7 * _DAY_MS, 30 * _DAY_MS

#: How often the row of a session in use is written.
EXTEND_EVERY_MS = 60_000

_MAX_AGENT = 200


def log_in(pool: Pool, name: str, password: str, *, agent: str, address: str) -> str | None:
    """Log a browser in by name and password.

    Args:
        pool: Where the users are.
        name: Of the user.
        password: As it was typed.
        agent: The browser, as it names itself.
        address: From which it asks; for the audit log.

    Returns:
        The cookie's secret; None where name or password are wrong, or the user is deactivated.

    Raises:
        Transient: Too many people log in at this moment.
    """
    with pool.database.read() as session:
        user = accounts.by_name(session, name) if _can_be_name(name) else None
    known = user.password_hash if user is not None and user.active else None
    right = passwords.matches(known, password)
    fresh = passwords.renewed(known, password) if right and known is not None else None
    with pool.database.write() as session:
        # Somebody may have reset it while the hash was computed.
        if user is None or not right or accounts.by_id(session, user.id) != user:
            # A name that nobody has may be a password that was typed into the wrong field.
            audit.append(session, NOBODY, "login.failed", user.name if user else "", **_at(address))
            return None
        if fresh is not None:
            accounts.set_password(session, user.id, fresh)
        return begin(session, user, agent=agent, address=address)


def begin(session: Session, user: User, *, agent: str, address: str) -> str:
    """Start a session of somebody who has shown who they are; returns the cookie's secret."""
    secret = new_secret()
    session_id = rows.create(
        session,
        user_id=user.id,
        secret_hash=digest(secret),
        agent=one_line(agent)[:_MAX_AGENT],
        life_ms=LIFE_MS,
    )
    audit.append(session, Actor(user.id, user.name), "login", session_id, **_at(address))
    return secret


def listing(pool: Pool, caller: Caller) -> list[BrowserSession]:
    """The caller's own sessions, the latest first."""
    with pool.database.read() as session:
        return rows.listing(session, caller.user_id)


def end(pool: Pool, caller: Caller, session_id: UUID) -> None:
    """End one of the caller's own sessions.

    Raises:
        NotFound: They have no such one.
    """
    with pool.database.write() as session:
        if not rows.end(session, caller.user_id, session_id):
            raise NotFound(f"you have no session {session_id}")
        audit.append(session, Actor.of(caller), "session.end", session_id)


def _can_be_name(name: str) -> bool:
    return is_storable(name) and "\0" not in name


def _at(address: str) -> dict[str, str]:
    return {"address": address} if address else {}
