"""Which batches somebody sees, and what they may do with one; the one place that decides it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from db import seen
from db.models import TaskRow
from db.seen import Filter, ListOrder, Place, SeenBatch, Sees
from maskpool.errors import NotFound
from producer import tasks
from producer.accounts.caller import Caller
from producer.accounts.refusals import Refused
from producer.accounts.rights import Right
from producer.pool import Pool


def find_batch(
    pool: Pool,
    caller: Caller,
    reference: UUID | str,
    right: Right = Right.READ,
    *,
    in_trash: bool = False,
) -> SeenBatch:
    """The batch that a caller means, if they may do this with it.

    Args:
        pool: Where it is.
        caller: Who asks.
        reference: Id; as a text also the beginning or end of an id, or a name.
        right: What is to be done with it.
        in_trash: One that lies in the trash, and no other.

    Raises:
        NotFound: There is none, several are meant, or the caller may not see it.
        Refused: They may see it, and not do this.
    """
    with pool.database.read() as session:
        return find_in(session, caller, reference, right, in_trash=in_trash)


def find_in(
    session: Session,
    caller: Caller,
    reference: UUID | str,
    right: Right = Right.READ,
    *,
    in_trash: bool = False,
) -> SeenBatch:
    """As ``find_batch``, within a transaction."""
    matches = seen.find(session, _sees(caller, right, in_trash=in_trash), reference)
    if len(matches) > 1:
        ids = " or ".join(str(match.batch_id) for match in matches)
        raise NotFound(f"{reference!r} means several batches; write the id: {ids}")
    return require(caller, matches[0] if matches else None, reference, right)


def require(
    caller: Caller, found: SeenBatch | None, reference: UUID | str, right: Right = Right.READ
) -> SeenBatch:
    """A batch that was looked for, if a caller may do this with it.

    Args:
        caller: Who asks.
        found: What there is, whoever may see it.
        reference: As the caller named it.
        right: What is to be done with it.

    Raises:
        NotFound: There is none, or the caller may not see it.
        Refused: They may see it, and not do this.
    """
    if found is None or not (_may(caller, right, found) or _may(caller, Right.READ, found)):
        raise NotFound(f"there is no batch {str(reference)!r} that you may see")
    if not _may(caller, right, found):
        raise Refused(
            f"you may see batch {found.batch_id}, but the right {right!s} is not yours",
            code="auth.right",
            params={"right": str(right)},
        )
    return found


def list_batches(
    pool: Pool,
    caller: Caller,
    which: Filter,
    *,
    after: Place | None = None,
    limit: int = 50,
    order: ListOrder = ListOrder.NEWEST,
    in_trash: bool = False,
) -> list[SeenBatch]:
    """Batches that a caller sees.

    Args:
        pool: Where they are.
        caller: Who asks.
        which: A choice of them.
        after: Behind this one.
        limit: At most so many.
        order: Of the list.
        in_trash: Those in the trash, and no others.
    """
    sees = _sees(caller, Right.READ, in_trash=in_trash)
    with pool.database.read() as session:
        return seen.page(session, sees, which, after=after, limit=limit, order=order)


def find_task(pool: Pool, caller: Caller, task_id: UUID, right: Right = Right.READ) -> TaskRow:
    """A task of the clerk's, if a caller may do this with it.

    Raises:
        NotFound: There is none that the caller may see.
        Refused: They may see it, and not do this.
    """
    task = tasks.find(pool, task_id)
    whose = (task.user_id, task.team_id)
    if caller.may(right, owner_id=whose[0], team_id=whose[1]):
        return task
    if caller.may(Right.READ, owner_id=whose[0], team_id=whose[1]):
        raise Refused(
            f"you may see task {task_id}, but the right {right!s} is not yours",
            code="auth.right",
            params={"right": str(right)},
        )
    raise NotFound(f"there is no task {task_id}")


def list_tasks(
    pool: Pool,
    caller: Caller,
    *,
    batch_id: UUID | None = None,
    after: tuple[int, UUID] | None = None,
    limit: int = 100,
) -> list[TaskRow]:
    """The tasks that a caller sees, of all batches or of one, newest first."""
    return tasks.listing(
        pool,
        user_id=caller.user_id,
        team_ids=caller.teams_for(Right.READ),
        batch_id=batch_id,
        after=after,
        limit=limit,
    )


def _may(caller: Caller, right: Right, batch: SeenBatch) -> bool:
    return caller.may(right, owner_id=batch.owner_id, team_id=batch.team_id)


def _sees(caller: Caller, right: Right, *, in_trash: bool = False) -> Sees:
    """Everything that reading or the right reaches; what of it is allowed is asked afterwards."""
    reach = [caller.teams_for(one) for one in (Right.READ, right)]
    teams = None if None in reach else frozenset().union(*(one for one in reach if one))
    return Sees(caller.user_id, teams, in_trash)
