"""Users: made, given passwords, kept out, let in again, and relieved of their batches."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from db import accounts, sessions, teams
from db.accounts import User
from maskpool.errors import Conflict, NotFound, SpecError
from maskpool.text import is_storable
from producer.accounts import audit, passwords
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Role
from producer.pool import Pool

#: Signs of which no two look alike, and that need no quotes in a shell.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def create(
    pool: Pool,
    actor: Actor,
    name: str,
    *,
    password: str | None = None,
    admin: bool = False,
    also: Callable[[Session], None] = lambda _: None,
) -> str:
    """Make a user, or let one in who so far only submitted from a shell.

    Args:
        pool: Where the users are.
        actor: Who makes them.
        name: Under which their batches are.
        password: Theirs; None: one is generated.
        admin: Whether they are an admin of the pool.
        also: Writes in the same transaction.

    Returns:
        The password.

    Raises:
        SpecError: Name or password are refused.
        Conflict: There is a user of this name who has a password, or is deactivated.
    """
    if not _NAME.fullmatch(name):
        raise SpecError(
            "name",
            f"{name!r} is refused; write 1 to 64 letters, digits and . _ @ + -, first a letter or "
            "digit",
            code="user.name",
            params={"name": name},
        )
    password = passwords.generate() if password is None else password
    password_hash = passwords.hashed(password)
    with pool.database.write() as session:
        accounts.insert(session, name)
        user = named(session, name)
        if user.password_hash is not None or user.admin or not user.active:
            raise Conflict(
                f"there is a user {name} already; reset gives a new password",
                code="user.exists",
                params={"name": name},
            )
        accounts.set_password(session, user.id, password_hash)
        accounts.set_admin(session, user.id, admin=admin)
        audit.append(session, actor, "user.create", name, admin=int(admin))
        also(session)
    return password


def listing(pool: Pool) -> list[User]:
    """All users, by name."""
    with pool.database.read() as session:
        return accounts.listing(session)


def find(pool: Pool, name: str) -> User:
    """The user of a name.

    Raises:
        NotFound: There is none.
    """
    with pool.database.read() as session:
        return named(session, name)


def as_caller(pool: Pool, name: str) -> Caller:
    """A user as they may do things now, whoever does them in their name.

    Raises:
        NotFound: There is no such user.
        Refused: They are deactivated.
    """
    with pool.database.read() as session:
        user = named(session, name)
        roles = {team: Role(role) for team, role in teams.roles(session, user.id).items()}
    if not user.active:
        raise Refused(f"{name} is deactivated", code="user.inactive", params={"name": name})
    return Caller(user.id, user.name, admin=user.admin, teams=roles)


def name_of(pool: Pool, user_id: int) -> str:
    """The name of a user.

    Raises:
        NotFound: There is none.
    """
    with pool.database.read() as session:
        return accounts.by_id(session, user_id).name


def reset(pool: Pool, actor: Actor, name: str, *, password: str | None = None) -> str:
    """Give a user another password and end their sessions; tokens stay.

    Args:
        pool: Where the users are.
        actor: Who does it.
        name: Of the user.
        password: The new one; None: one is generated.

    Returns:
        The password.

    Raises:
        NotFound: There is no such user.
        SpecError: The password is refused.
    """
    password = passwords.generate() if password is None else password
    password_hash = passwords.hashed(password)
    with pool.database.write() as session:
        user = named(session, name)
        accounts.set_password(session, user.id, password_hash)
        sessions.end_all(session, user.id)
        audit.append(session, actor, "user.reset", user.name)
    return password


def change_password(pool: Pool, caller: Caller, old: str, new: str) -> None:
    """Change one's own password; one's other sessions end.

    Raises:
        SpecError: The old one is wrong, or the new one is refused.
        Transient: Too many people log in at this moment.
    """
    with pool.database.read() as session:
        user = accounts.by_id(session, caller.user_id)
    if not passwords.matches(user.password_hash, old):
        raise SpecError("old", "is not your password", code="password.wrong")
    password_hash = passwords.hashed(new)
    with pool.database.write() as session:
        if accounts.by_id(session, user.id) != user:
            sentence = "somebody else changed your account at this moment; try again"
            raise Conflict(sentence, code="account.changed")
        accounts.set_password(session, user.id, password_hash)
        sessions.end_all(session, user.id, but=caller.session_id)
        audit.append(session, Actor.of(caller), "user.password", user.name)


def deactivate(pool: Pool, actor: Actor, name: str) -> None:
    """Keep a user out: no password, session or token of theirs counts any more.

    Raises:
        NotFound: There is no such user.
        Conflict: They are the only admin, or deactivated already.
    """
    with pool.database.write() as session:
        user = named(session, name)
        if not user.active:
            sentence = f"{name} is deactivated already"
            raise Conflict(sentence, code="user.inactive", params={"name": name})
        if user.admin and not accounts.other_admins(session, user.id):
            sentence = f"{name} is the only admin; make another one first"
            raise Conflict(sentence, code="user.last_admin", params={"name": name})
        accounts.deactivate(session, user.id)
        sessions.end_all(session, user.id)
        audit.append(session, actor, "user.deactivate", user.name)


def activate(pool: Pool, actor: Actor, name: str) -> None:
    """Let a user in again, with the password and the tokens they had.

    Raises:
        NotFound: There is no such user.
        Conflict: They are active.
    """
    with pool.database.write() as session:
        user = named(session, name)
        if user.active:
            raise Conflict(f"{name} is active", code="user.active", params={"name": name})
        accounts.activate(session, user.id)
        audit.append(session, actor, "user.activate", user.name)


def hand_over(pool: Pool, actor: Actor, name: str, to: str) -> int:
    """Give somebody's batches and uploads to somebody else; returns how many batches.

    Raises:
        NotFound: There is no such user.
        Conflict: Both are the same, or the new owner is deactivated.
    """
    with pool.database.write() as session:
        user, heir = named(session, name), named(session, to)
        if user.id == heir.id or not heir.active:
            sentence = f"{to} cannot take them over; name another user, who is active"
            raise Conflict(sentence, code="user.heir", params={"name": to})
        count = accounts.hand_over(session, user.id, heir.id)
        audit.append(session, actor, "user.hand_over", user.name, to=heir.name, batches=count)
    pool.wake()
    return count


def named(session: Session, name: str) -> User:
    """The user of a name.

    Raises:
        NotFound: There is none.
    """
    known = is_storable(name) and "\0" not in name
    user = accounts.by_name(session, name) if known else None
    if user is None:
        raise NotFound(f"there is no user {name!r}; maskpool user ls shows those there are")
    return user
