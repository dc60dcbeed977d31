"""Rows of users: found, made, changed, and what they own handed to somebody else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam, cast, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.models import BatchRow, UploadRow, UserRow
from db.session import is_postgres
from db.turns import catch_up
from maskpool.domain import BatchState
from maskpool.errors import NotFound


@dataclass(frozen=True, slots=True)
class User:
    """One user, as the row has them.

    Attributes:
        id: Of the row.
        name: Under which their batches are.
        admin: Of the whole pool.
        password_hash: Of argon2; None where no password lets them in.
        deactivated_at: Milliseconds since 1970; None where they are active.
    """

    id: int
    name: str
    admin: bool
    password_hash: str | None = field(repr=False)
    deactivated_at: int | None

    @property
    def active(self) -> bool:
        """Whether anything of theirs lets them in."""
        return self.deactivated_at is None


_COLUMNS = (
    *(UserRow.id, UserRow.name, UserRow.admin),
    *(UserRow.password_hash, UserRow.deactivated_at),
)
_BY_NAME = select(*_COLUMNS).where(UserRow.name == bindparam("name"))
_BY_ID = select(*_COLUMNS).where(UserRow.id == bindparam("user"))
_BY_IDS = select(*_COLUMNS).where(UserRow.id.in_(bindparam("users", expanding=True)))


def by_name(session: Session, name: str) -> User | None:
    """The user of a name, or None."""
    row = session.connection().execute(_BY_NAME, {"name": name}).one_or_none()
    return None if row is None else User(*row)


def by_id(session: Session, user_id: int) -> User:
    """The user of an id.

    Raises:
        NotFound: There is none.
    """
    row = session.connection().execute(_BY_ID, {"user": user_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no user {user_id}")
    return User(*row)


def by_ids(session: Session, user_ids: Collection[int]) -> dict[int, User]:
    """The users of some ids, by one statement; those that are not there are left out."""
    rows = session.connection().execute(_BY_IDS, {"users": list(user_ids)}) if user_ids else ()
    return {row.id: User(*row) for row in rows}


def listing(session: Session) -> list[User]:
    """All users, by name."""
    return [User(*row) for row in session.execute(select(*_COLUMNS).order_by(UserRow.name))]


def insert(session: Session, name: str) -> bool:
    """Make a row for a name; False where there is one."""
    dialect: Any = postgresql if is_postgres(session) else sqlite
    new = dialect.insert(UserRow).values(name=name).on_conflict_do_nothing()
    return session.execute(new.returning(UserRow.id)).one_or_none() is not None


def set_password(session: Session, user_id: int, password_hash: str) -> None:
    """Let another password in from now on."""
    _set(session, user_id, password_hash=password_hash)


def set_admin(session: Session, user_id: int, *, admin: bool) -> None:
    """Make somebody an admin of the pool, or no longer one."""
    _set(session, user_id, admin=admin)


def deactivate(session: Session, user_id: int) -> None:
    """Let nothing of theirs in from now on; their batches stay."""
    _set(session, user_id, deactivated_at=now_ms())


def activate(session: Session, user_id: int) -> None:
    """Let them in again."""
    _set(session, user_id, deactivated_at=None)


def other_admins(session: Session, user_id: int) -> int:
    """How many active admins there are beside one user; their rows are locked until COMMIT."""
    found = session.scalars(
        select(UserRow.id)
        .where(UserRow.admin, UserRow.deactivated_at.is_(None))
        .order_by(UserRow.id)
        .with_for_update()
    )
    return len(set(found) - {user_id})


def hand_over(session: Session, user_id: int, to_id: int) -> int:
    """Give somebody's batches and uploads to somebody else; returns how many batches."""
    _free_keys(session, user_id, to_id)
    moved = session.execute(
        update(BatchRow)
        .where(BatchRow.owner_id == user_id)
        .values(owner_id=to_id)
        .returning(BatchRow.id, BatchRow.state)
    ).all()
    session.execute(update(UploadRow).where(UploadRow.user_id == user_id).values(user_id=to_id))
    for batch_id, state in moved:
        # Else a batch with a clock far behind its new owner's others would run before all of them.
        if state in BatchState.live():
            catch_up(session, batch_id)
    return len(moved)


def _free_keys(session: Session, user_id: int, to_id: int) -> None:
    """Rename the keys under which both have a batch: one owner has each key once."""
    theirs = select(BatchRow.idempotency_key).where(BatchRow.owner_id == to_id)
    taken: ColumnElement[bool] = BatchRow.idempotency_key.in_(theirs)
    session.execute(
        update(BatchRow)
        .where(BatchRow.owner_id == user_id, taken)
        .values(idempotency_key=BatchRow.idempotency_key + " of " + cast(BatchRow.id, String))
        .execution_options(synchronize_session=False)
    )


def _set(session: Session, user_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    session.execute(update(UserRow).where(UserRow.id == user_id).values(**values))
