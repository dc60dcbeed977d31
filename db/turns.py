"""Every statement that moves a clock of shares; ``maskpool.fairness`` decides whose turn it is.

An owner's clock is ``users.virtual_time``, a batch's is ``batches.virtual_time``, both in weighted
GPU-seconds. A claim charges both with an estimate, folding a closed chunk corrects the estimate,
and an owner who returns starts at the clocks of those who are active. A dispatcher runs these
statements many times a second, and building one costs SQLAlchemy ten times what running it does, so
they are built once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from db.models import BatchRow, UserRow
from maskpool.domain import BatchState, Priority
from maskpool.fairness import Candidate

_CHARGE_BATCH = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"))
    .values(
        next_seq=bindparam("claimed"), virtual_time=BatchRow.virtual_time + bindparam("seconds")
    )
)

_CHARGE_OWNER = (
    update(UserRow)
    .where(UserRow.id == bindparam("owner"))
    .values(virtual_time=UserRow.virtual_time + bindparam("seconds") / UserRow.weight)
)

#: The weight of a batch among its owner's batches.
_BATCH_WEIGHT = case({str(one): one.weight for one in Priority}, value=BatchRow.priority)

_SETTLE_BATCH = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"))
    .values(
        done=BatchRow.done + bindparam("more_done"),
        failed=BatchRow.failed + bindparam("more_failed"),
        gpu_seconds=BatchRow.gpu_seconds + bindparam("spent"),
        virtual_time=BatchRow.virtual_time + bindparam("correction") / _BATCH_WEIGHT,
    )
    .returning(BatchRow.owner_id)
)

_SETTLE_OWNER = (
    update(UserRow)
    .where(UserRow.id == bindparam("owner"))
    .values(virtual_time=UserRow.virtual_time + bindparam("correction") / UserRow.weight)
)

_OWNER_AND_MODEL = select(BatchRow.owner_id, BatchRow.model).where(
    BatchRow.id == bindparam("batch")
)

#: Batches whose clocks advance at present: those of one model that have fresh jobs. A batch that
#: waits for workers of its model, or for retries only, stands still and would mislead.
_ADVANCING = and_(
    BatchRow.state == BatchState.ACTIVE,
    BatchRow.next_seq < BatchRow.total,
    BatchRow.model == bindparam("of_model"),
    BatchRow.id != bindparam("batch"),
)
_SAME_OWNER = BatchRow.owner_id == bindparam("of_owner")

_OWNER_IS_ACTIVE = select(select(BatchRow.id).where(_ADVANCING, _SAME_OWNER).exists())

_MIN_OF_OWN_BATCHES = select(func.min(BatchRow.virtual_time)).where(_ADVANCING, _SAME_OWNER)

_MIN_OF_OTHER_OWNERS = select(func.min(UserRow.virtual_time)).where(
    UserRow.id.in_(select(BatchRow.owner_id).where(_ADVANCING))
)

_MAX_OF_ALL_OWNERS = select(func.max(UserRow.virtual_time))

_RAISE_OWNER = (
    update(UserRow)
    .where(UserRow.id == bindparam("owner"), UserRow.virtual_time < bindparam("minimum"))
    .values(virtual_time=bindparam("minimum"))
)

_SET_BATCH = (
    update(BatchRow)
    .where(BatchRow.id == bindparam("batch"))
    .values(virtual_time=bindparam("minimum"))
)


@dataclass(slots=True)
class Sums:
    """What the closed chunks of one batch add up to.

    Attributes:
        done: Jobs that ended DONE.
        failed: Jobs that ended FAILED.
        spent: GPU-seconds that the device needed.
        correction: GPU-seconds that the clocks owe beyond the estimate charged at the claim; may be
            negative.
    """

    done: int = 0
    failed: int = 0
    spent: float = 0.0
    correction: float = 0.0


def charge(session: Session, candidate: Candidate, seconds: float, next_seq: int) -> None:
    """Charge a claim's estimate to the batch and its owner, and move the batch's ``next_seq``.

    Args:
        session: Holds the batch's row.
        candidate: The batch.
        seconds: Estimated GPU-seconds of the jobs that are claimed.
        next_seq: The first job that is unclaimed after this claim.
    """
    connection = session.connection()
    weighted = seconds / candidate.priority.weight
    connection.execute(
        _CHARGE_BATCH, {"batch": candidate.batch_id, "claimed": next_seq, "seconds": weighted}
    )
    connection.execute(_CHARGE_OWNER, {"owner": candidate.owner_id, "seconds": seconds})


def settle(session: Session, batch_id: UUID, sums: Sums) -> None:
    """Add folded chunks to the batch's counters, and correct the clocks of batch and owner."""
    connection = session.connection()
    values = {
        "batch": batch_id,
        "more_done": sums.done,
        "more_failed": sums.failed,
        "spent": sums.spent,
        "correction": sums.correction,
    }
    owner_id = connection.execute(_SETTLE_BATCH, values).scalar()
    if owner_id is not None:  # else the batch was removed meanwhile
        connection.execute(_SETTLE_OWNER, {"owner": owner_id, "correction": sums.correction})


def catch_up(session: Session, batch_id: UUID) -> None:
    """Set the clocks of a batch that becomes active, and of its owner.

    A returning owner starts at the active minimum: waiting earns no turns, and work done while
    nobody else was there costs none. A batch starts at the minimum of its owner's batches.
    """
    connection = session.connection()
    owner_id, model = connection.execute(_OWNER_AND_MODEL, {"batch": batch_id}).one()
    who = {"batch": batch_id, "of_owner": owner_id, "of_model": model}
    if not connection.execute(_OWNER_IS_ACTIVE, who).scalar():
        _raise_owner(session, who)
    minimum = connection.execute(_MIN_OF_OWN_BATCHES, who).scalar()
    if minimum is not None:  # may also set it back: among one owner's batches nobody else pays
        connection.execute(_SET_BATCH, {"batch": batch_id, "minimum": minimum})


def _raise_owner(session: Session, who: dict[str, Any]) -> None:
    """Raise the owner's clock to the active minimum; never lower it, as idling pays no debt."""
    connection = session.connection()
    minimum = connection.execute(_MIN_OF_OTHER_OWNERS, who).scalar()
    if minimum is None:
        # Nobody is active. A newcomer starts where the last owner stopped: from zero, that owner
        # would wait on returning until the newcomer had received as much.
        minimum = connection.execute(_MAX_OF_ALL_OWNERS).scalar()
    connection.execute(_RAISE_OWNER, {"owner": who["of_owner"], "minimum": minimum})
