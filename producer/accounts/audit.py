"""The audit log: who did what to what. A line is written in the transaction of what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from db import audit as rows
from db.audit import Entry
from maskpool.settings import Settings
from producer.accounts.caller import Caller
from producer.pool import Pool


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something.

    Attributes:
        user_id: None where nobody of ours is known.
        name: For people.
    """

    user_id: int | None
    name: str

    @classmethod
    def of(cls, caller: Caller) -> Actor:
        """Whoever asks through the door."""
        return cls(caller.user_id, caller.name)

    @classmethod
    def at_shell(cls, settings: Settings) -> Actor:
        """Whoever has the database's password; the name is the one their shell says."""
        return cls(None, f"{settings.owner_name} (shell)")


#: Nobody is known yet: a log-in that fails.
NOBODY = Actor(None, "")


def append(
    session: Session, actor: Actor, action: str, target: object = "", **detail: str | int | None
) -> None:
    """Write one line down, in the transaction of the change that it tells.

    Args:
        session: Of the change.
        actor: Who did it.
        action: ``token.create``, ``batch.delete``, …
        target: Id or name of what it was done to.
        detail: What else is to be known; never a password, token, cookie or signed URL.
    """
    rows.append(
        session,
        user_id=actor.user_id,
        user_name=actor.name,
        action=action,
        target=str(target),
        detail=detail or None,
    )


def page(pool: Pool, *, before: int | None = None, limit: int = 100) -> list[Entry]:
    """The latest lines, newest first; ``before`` is the id of the last one that was read."""
    with pool.database.read() as session:
        return rows.page(session, before=before, limit=limit)
