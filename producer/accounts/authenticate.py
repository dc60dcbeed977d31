"""Who asks: a cookie's or a token's secret becomes a caller, looked up at most every five seconds.

What was found is kept for that long in the process, so that a page of a hundred thumbnails costs
one look-up; what was revoked elsewhere therefore stops counting within five seconds. What was not
found is never kept: a new token counts at once, and guesses push nobody out of the cache.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Literal, NamedTuple
from uuid import UUID

from db import accounts, sessions, teams, tokens
from db.accounts import User
from db.session import Database
from db.sessions import FoundSession
from db.tokens import FoundToken
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

Kind = Literal["session", "token"]


class Secret(NamedTuple):
    """What somebody shows: the secret of a cookie, or a token's text."""

    kind: Kind
    text: str


class _Key(NamedTuple):
    """What rows know of a secret."""

    kind: Kind
    hash: str


@dataclass(frozen=True, slots=True)
class _People:
    """Users and their roles, as the rows have them."""

    users: Mapping[int, User]
    roles: Mapping[int, Mapping[UUID, str]]

    def of_session(self, found: FoundSession) -> Caller:
        """Whoever's browser it is."""
        return self._caller(found.user_id, session_id=found.id)

    def of_token(self, found: FoundToken) -> Caller:
        """Whoever's script it is."""
        # A word of a newer version is passed over: it gives nothing here.
        scopes = frozenset(Right(word) for word in found.scopes.split() if word in _WORDS)
        return self._caller(found.user_id, scopes=scopes)

    def _caller(
        self,
        user_id: int,
        *,
        scopes: frozenset[Right] | None = None,
        session_id: UUID | None = None,
    ) -> Caller:
        user = self.users[user_id]
        roles = {team: Role(role) for team, role in self.roles[user_id].items()}
        return Caller(
            user.id, user.name, admin=user.admin, teams=roles, scopes=scopes, session_id=session_id
        )


class Authenticator:
    """What one process knows of who asks.

    Args:
        database: Of the pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[_Key, tuple[float, Caller]] = OrderedDict()
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

    def remembered(self, kind: Kind, secret: str) -> Caller | None:
        """Whoever's cookie or token this is, where the rows said so lately; asks no row."""
        if not secret or len(secret) > _MAX_SECRET:
            return None
        key = _Key(kind, digest(secret))
        with self._lock:
            until, caller = self._kept.get(key, (0.0, None))
            if caller is None or time.monotonic() >= until:
                return None
            self._kept.move_to_end(key)
            return caller

    def again(self, secrets: Collection[Secret]) -> dict[Secret, Caller]:
        """Whoever's cookies and tokens these are now: the rows are asked once for all of them.

        Those that count for nobody are left out, and remembered no more.

        Raises:
            Unreachable: The database is away.
        """
        keys = {one: _Key(one.kind, digest(one.text)) for one in secrets}
        now, found = time.monotonic(), self._of_rows(keys.values())
        with self._lock:
            for key in keys.values():
                self._kept.pop(key, None)
        for key, (caller, left_ms) in found.items():
            self._keep(key, caller, left_ms, now)
        return {one: found[key][0] for one, key in keys.items() if key in found}

    def forget(self) -> None:
        """Ask the rows again from now on: this process has just changed some of them."""
        with self._lock:
            self._kept.clear()

    def _find(self, kind: Kind, secret: str) -> Caller | None:
        if not secret or len(secret) > _MAX_SECRET:
            return None
        # Rows may change while they are read, so their answer is as old as the question.
        now = time.monotonic()
        known = self.remembered(kind, secret)
        if known is not None:
            return known
        key = _Key(kind, digest(secret))
        found = self._of_rows([key]).get(key)
        if found is None:
            return None
        self._keep(key, *found, now)
        return found[0]

    def _keep(self, key: _Key, caller: Caller, left_ms: int | None, now: float) -> None:
        seconds = KEPT_SECONDS if left_ms is None else min(KEPT_SECONDS, left_ms / 1000)
        with self._lock:
            self._kept[key] = (now + seconds, caller)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)

    def _of_rows(self, keys: Collection[_Key]) -> dict[_Key, tuple[Caller, int | None]]:
        with self._database.read() as session:
            browsers = sessions.find(session, [one.hash for one in keys if one.kind == "session"])
            scripts = tokens.find(session, [one.hash for one in keys if one.kind == "token"])
            ids = {one.user_id for one in browsers.values()}
            ids |= {one.user_id for one in scripts.values()}
            people = _People(accounts.by_ids(session, ids), teams.roles_of_each(session, ids))
        self._mark(browsers.values(), scripts.values())
        found: dict[_Key, tuple[Caller, int | None]] = {
            _Key("session", key): (people.of_session(one), one.left_ms)
            for key, one in browsers.items()
        }
        return found | {
            _Key("token", key): (people.of_token(one), one.left_ms) for key, one in scripts.items()
        }

    def _mark(self, browsers: Iterable[FoundSession], scripts: Iterable[FoundToken]) -> None:
        """Note that they came. Who only reads is served also where nothing can be written."""
        for one in browsers:
            if one.unseen_ms >= EXTEND_EVERY_MS:
                with suppress(Unreachable), self._database.write() as session:
                    sessions.extend(session, one.id, life_ms=LIFE_MS, longest_ms=LONGEST_MS)
        for token in scripts:
            if token.unused_ms is None or token.unused_ms >= MARK_USED_EVERY_MS:
                with suppress(Unreachable), self._database.write() as session:
                    tokens.mark_used(session, token.id)
