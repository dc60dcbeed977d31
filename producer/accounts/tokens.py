"""Tokens of scripts: made with no more rights than their maker has, shown once, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from db import accounts, teams
from db import tokens as rows
from db.tokens import Token
from maskpool.errors import NotFound, SpecError
from maskpool.text import is_storable, one_line
from producer.accounts import audit
from producer.accounts.audit import Actor
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Right, Role
from producer.accounts.secret import digest, new_secret
from producer.pool import Pool

__all__ = ["MARK", "NewToken", "Token", "create", "issue", "listing", "revoke", "rights_of"]

#: What all tokens begin with, so that scanners of repositories know one.
MARK = "mp_"

#: What is written beside a token, without its text.
AlsoWrites = Callable[[Session, Token], None]

#: How often the row of a token in use is written.
MARK_USED_EVERY_MS = 60_000

_DAY_MS = 24 * 3_600_000
_MAX_DAYS, _MAX_NAME = 3_650, 100


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made; its text cannot be had again."""

    token: Token
    text: str = field(repr=False)


def create(
    pool: Pool,
    caller: Caller,
    name: str,
    *,
    rights: Collection[Right],
    days: int | None,
    also: AlsoWrites = lambda *_: None,
) -> NewToken:
    """Make a token for the caller.

    Args:
        pool: Where the users are.
        caller: Whose it will be.
        name: For people.
        rights: What it may do, as far as its user may do that at the moment of its use.
        days: After which it ends; None: never.
        also: Writes in the same transaction.

    Raises:
        Refused: A token asks for it, or the caller has not one of the rights.
        SpecError: Name, rights or days are refused.
    """
    if caller.scopes is not None:
        sentence = "a token cannot make tokens, else a stolen one would never end; log in"
        raise Refused(sentence, code="token.by_token")
    lacking = sorted(right for right in rights if not caller.has(right))
    if lacking:
        raise Refused(
            f"you have not the right {', '.join(lacking)} yourself",
            code="token.rights",
            params={"rights": list(map(str, lacking))},
        )
    return issue(pool, Actor.of(caller), caller.user_id, name, rights=rights, days=days, also=also)


def issue(
    pool: Pool,
    actor: Actor,
    user_id: int,
    name: str,
    *,
    rights: Collection[Right],
    days: int | None,
    also: AlsoWrites = lambda *_: None,
) -> NewToken:
    """Make a token for a user; see ``create``.

    Raises:
        SpecError: Name, rights or days are refused.
    """
    _check(name, rights, days)
    prefix = MARK + secrets.token_hex(4)
    text = f"{prefix}_{new_secret()}"
    scopes = " ".join(sorted(set(rights)))
    with pool.database.write() as session:
        token = rows.create(
            session,
            user_id=user_id,
            name=name,
            prefix=prefix,
            secret_hash=digest(text),
            scopes=scopes,
            life_ms=None if days is None else days * _DAY_MS,
        )
        audit.append(session, actor, "token.create", prefix, name=name, scopes=scopes, days=days)
        also(session, token)
    return NewToken(token, text)


def _check(name: str, rights: Collection[Right], days: int | None) -> None:
    if not name or len(name) > _MAX_NAME or one_line(name) != name or not is_storable(name):
        raise SpecError(
            "name",
            f"must be one line of 1 to {_MAX_NAME} characters",
            code="account.name",
            params={"limit": _MAX_NAME},
        )
    if not rights:
        reason = f"name one or more of {', '.join(Right)}"
        raise SpecError("rights", reason, code="token.no_right")
    if days is not None and not 1 <= days <= _MAX_DAYS:
        raise SpecError(
            "days",
            f"must be 1 to {_MAX_DAYS}, or left out for a token without end",
            code="token.days",
            params={"limit": _MAX_DAYS},
        )


def listing(pool: Pool, user_id: int) -> list[Token]:
    """Somebody's tokens, the latest first."""
    with pool.database.read() as session:
        return rows.listing(session, user_id)


def revoke(pool: Pool, actor: Actor, user_id: int, token_id: UUID) -> None:
    """End one of somebody's tokens for ever.

    Raises:
        NotFound: They have no such one.
    """
    with pool.database.write() as session:
        prefix = rows.revoke(session, user_id, token_id)
        if prefix is None:
            raise NotFound(f"there is no token {token_id} of this user")
        audit.append(session, actor, "token.revoke", prefix)


def rights_of(pool: Pool, user_id: int) -> frozenset[Right]:
    """What a token of a user may be given: all that reaches anything for them."""
    with pool.database.read() as session:
        user = accounts.by_id(session, user_id)
        roles = {team: Role(role) for team, role in teams.roles(session, user_id).items()}
    caller = Caller(user.id, user.name, admin=user.admin, teams=roles)
    return frozenset(right for right in Right if caller.has(right))
