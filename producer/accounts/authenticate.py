"""Who asks: a cookie's or a token's secret becomes a caller, looked up at most every five seconds.

What was found is kept for that long in the process, so that a page of a hundred thumbnails costs
one look-up; what was revoked elsewhere therefore stops counting within five seconds. What was not
found is never kept: a new token counts at once, and guesses push nobody out of the cache.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from db import accounts, sessions, teams, tokens
from db.session import Database
from maskpool.errors import Unreachable
from producer.accounts.caller import Caller
from producer.accounts.rights import Right, Role
from producer.accounts.secret import digest
from producer.accounts.sessions import EXTEND_EVERY_MS, LIFE_MS, LONGEST_MS
from producer.accounts.tokens import MARK, MARK_USED_EVERY_MS

#: Longest time for which the answer of the rows is trusted.
KEPT_SECONDS = 5.0

#: Callers that a process remembers; the one that asked longest ago goes first.
_MAX_KEPT = 10_000

#: Of a cookie or token; longer ones are not ours.
_MAX_SECRET = 200

_WORDS = frozenset(Right)


class Authenticator:
    """What one process knows of who asks.

    Args:
        database: Of the pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[str, str], tuple[float, Caller]] = OrderedDict()
        self._lock = Lock()

    def by_session(self, secret: str) -> Caller | None:
        """Whoever's cookie this is; None where it counts for nobody.

        Raises:
            Unreachable: The database is away.
        """
        return self._find("session", secret)

    def by_token(self, text: str) -> Caller | None:
        """Whoever's token this is; None where it counts for nobody.

        Raises:
            Unreachable: The database is away.
        """
        return self._find("token", text) if text.startswith(MARK) else None

    def remembered(self, kind: Literal["session", "token"], secret: str) -> Caller | None:
        """Whoever's cookie or token this is, where the rows said so lately; asks no row."""
        if not secret or len(secret) > _MAX_SECRET:
            return None
        key = (kind, digest(secret))
        with self._lock:
            until, caller = self._kept.get(key, (0.0, None))
            if caller is None or time.monotonic() >= until:
                return None
            self._kept.move_to_end(key)
            return caller

    def forget(self) -> None:
        """Ask the rows again from now on: this process has just changed some of them."""
        with self._lock:
            self._kept.clear()

    def _find(self, kind: Literal["session", "token"], secret: str) -> Caller | None:
        if not secret or len(secret) > _MAX_SECRET:
            return None
        # Rows may change while they are read, so their answer is as old as the question.
        now = time.monotonic()
        known = self.remembered(kind, secret)
        if known is not None:
            return known
        key = (kind, digest(secret))
        found = self._of_token(key[1]) if kind == "token" else self._of_session(key[1])
        if found is None:
            return None
        caller, left_ms = found
        seconds = KEPT_SECONDS if left_ms is None else min(KEPT_SECONDS, left_ms / 1000)
        with self._lock:
            self._kept[key] = (now + seconds, caller)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        return caller

    def _of_session(self, secret_hash: str) -> tuple[Caller, int | None] | None:
        with self._database.read() as session:
            found = sessions.find(session, secret_hash)
            if found is None:
                return None
            caller = _caller(session, found.user_id, session_id=found.id)
        if found.unseen_ms >= EXTEND_EVERY_MS:
            # Whoever only reads is served though nothing can be written, on a full disk say.
            with suppress(Unreachable), self._database.write() as session:
                sessions.extend(session, found.id, life_ms=LIFE_MS, longest_ms=LONGEST_MS)
        return caller, found.left_ms

    def _of_token(self, secret_hash: str) -> tuple[Caller, int | None] | None:
        with self._database.read() as session:
            found = tokens.find(session, secret_hash)
            if found is None:
                return None
            # A word of a newer version is passed over: it gives nothing here.
            scopes = frozenset(Right(word) for word in found.scopes.split() if word in _WORDS)
            caller = _caller(session, found.user_id, scopes=scopes)
        if found.unused_ms is None or found.unused_ms >= MARK_USED_EVERY_MS:
            with suppress(Unreachable), self._database.write() as session:
                tokens.mark_used(session, found.id)
        return caller, found.left_ms


def _caller(
    session: Session,
    user_id: int,
    *,
    scopes: frozenset[Right] | None = None,
    session_id: UUID | None = None,
) -> Caller:
    user = accounts.by_id(session, user_id)
    roles = {team: Role(role) for team, role in teams.roles(session, user_id).items()}
    return Caller(
        user.id, user.name, admin=user.admin, teams=roles, scopes=scopes, session_id=session_id
    )
