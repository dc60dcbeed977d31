"""Keeping what was counted in a batch: asked for at its end, and written block by block.

Each try writes uncertainties under a version of its own, which nobody reads until it is whole.
Small batches are counted whenever somebody asks, so nothing is kept of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from db import removal, tasks
from db.clock import now_ms
from db.histogram import HAS_BLOCKS, IS_COUNTED, count_done
from db.inserts import insert_or_nothing
from db.instances import within
from db.models import (
    BatchRow,
    CountRow,
    InstanceRow,
    ScoreBlockRow,
    ScoreCountRow,
    TaskRow,
    UncertaintyRow,
)
from maskpool.domain import BatchState
from maskpool.histogram import Bars, digest_of, digest_of_thresholds
from maskpool.reading_rule import ReadingRule
from maskpool.tasks import TaskKind, TaskState

#: Images of a batch that are counted whenever somebody asks. A larger batch's counts are kept.
MANY = 5_000

#: Batches that a sweep finds at once.
_AT_ONCE = 100

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch that is to be counted, as it was when somebody began.

    Attributes:
        version: Of what is written.
        finished_at: When it ended; another one says that it went on meanwhile.
        total: Its images.
        spec: ``BatchSpec.dump()``.
        reading: ``Reading.dump()``; None where the spec says it.
    """

    batch_id: UUID
    version: int
    finished_at: int
    total: int
    spec: dict[str, Any]
    reading: dict[str, Any] | None


def ask(session: Session, batch_id: UUID) -> None:
    """Have a batch counted, if it is large, has ended, and no task waits to do it already.

    Args:
        session: Holds the batch's row: a clerk that begins meanwhile waits for it, and reads what
            this transaction changes.
        batch_id: Which.
    """
    waits = (
        select(TaskRow.id)
        .where(
            TaskRow.batch_id == batch_id,
            TaskRow.kind == TaskKind.COUNT,
            TaskRow.state == TaskState.WAITING,
        )
        .exists()
    )
    wanted = select(BatchRow.id).where(BatchRow.id == batch_id, _is_kept(), ~waits)
    if session.scalar(wanted) is not None:
        args = {"batch": str(batch_id)}
        tasks.create(session, TaskKind.COUNT, args, user_id=None, team_id=None, batch_id=batch_id)


def uncounted(session: Session) -> list[UUID]:
    """Large batches that ended without being counted: before there were counts, or by a bug."""
    lately = (
        select(TaskRow.id)
        .where(
            TaskRow.batch_id == BatchRow.id,
            TaskRow.kind == TaskKind.COUNT,
            or_(
                TaskRow.state.in_(TaskState.open()),
                TaskRow.created_at > now_ms() - _DAY_MS,
            ),
        )
        .exists()
    )
    is_counted = select(CountRow.batch_id).where(
        CountRow.batch_id == BatchRow.id, IS_COUNTED, HAS_BLOCKS
    )
    query = select(BatchRow.id).where(_is_kept(), ~is_counted.correlate(BatchRow).exists(), ~lately)
    return list(session.scalars(query.limit(_AT_ONCE)))


def _is_kept() -> ColumnElement[bool]:
    """Whether the counts of a batch are kept."""
    return and_(
        BatchRow.state.in_(BatchState.ended()),
        BatchRow.total > MANY,
        ~BatchRow.scratch,
        BatchRow.deleted_at.is_(None),
    )


def begin(session: Session, batch_id: UUID) -> Begun | None:
    """Begin to count a batch; None where it is gone or goes on."""
    batch = session.execute(
        select(BatchRow.finished_at, BatchRow.total, BatchRow.spec, BatchRow.reading)
        .where(
            BatchRow.id == batch_id,
            BatchRow.state.in_(BatchState.ended()),
            BatchRow.deleted_at.is_(None),
        )
        # Whoever changes how it is read ends first, and a clerk that reads it then reads that.
        .with_for_update()
    ).one_or_none()
    if batch is None:
        return None
    session.execute(insert_or_nothing(session, CountRow).values(batch_id=batch_id))
    version = session.scalar(
        update(CountRow)
        .where(CountRow.batch_id == batch_id)
        .values(begun=CountRow.begun + 1)
        .returning(CountRow.begun)
    )
    return Begun(batch_id, version or 0, *batch)


def _is_still(session: Session, begun: Begun) -> bool:
    """Whether a batch is as it was; it stays so until the transaction ends."""
    there = select(BatchRow.id).where(
        BatchRow.id == begun.batch_id,
        BatchRow.finished_at == begun.finished_at,
        BatchRow.deleted_at.is_(None),
    )
    return session.scalar(there.with_for_update()) is not None


def write_block(
    session: Session, begun: Begun, rule: ReadingRule, seqs: range, content: bytes
) -> bool:
    """Write what is kept of some images; False where the batch went on.

    Args:
        session: Written to.
        begun: Their batch.
        rule: Which instances count.
        seqs: The images. One without an instance stands behind all others, and has no uncertainty.
        content: Their scores: ``maskpool.score_block``.
    """
    if not _is_still(session, begun):
        return False
    found = (
        select(
            literal(begun.batch_id, UncertaintyRow.batch_id.type),
            literal(begun.version),
            func.min(distance(rule)),
            InstanceRow.seq,
        )
        .where(
            InstanceRow.batch_id == begun.batch_id,
            InstanceRow.object_index.is_(None),
            within(seqs),
        )
        .group_by(InstanceRow.seq)
    )
    columns = ["batch_id", "version", "distance", "seq"]
    session.execute(insert(UncertaintyRow).from_select(columns, found))
    place = {"batch_id": begun.batch_id, "version": begun.version, "first_seq": seqs.start}
    session.execute(insert(ScoreBlockRow).values(**place, content=content))
    return True


def distance(rule: ReadingRule) -> ColumnElement[float]:
    """How near an instance's score lies to the threshold of its prompt."""
    own = {i: one.threshold for i, one in rule.prompts.items() if one.threshold is not None}
    usual = literal(rule.threshold)
    least = case(own, value=InstanceRow.prompt_index, else_=usual) if own else usual
    return func.abs(InstanceRow.score - least)


def keep(session: Session, begun: Begun, rule: ReadingRule, found: Mapping[int, Bars]) -> bool:
    """Put what was counted in the place of what was kept; False where the batch went on."""
    if not _is_still(session, begun):
        return False
    later = session.scalar(select(CountRow.version).where(CountRow.batch_id == begun.batch_id))
    if later is not None and later > begun.version:
        return False  # another clerk began after this one, and was faster
    session.execute(delete(ScoreCountRow).where(ScoreCountRow.batch_id == begun.batch_id))
    rows = [
        {
            "batch_id": begun.batch_id,
            "prompt_index": prompt,
            "hundredth": hundredth,
            "images": images,
            "instances": instances,
        }
        for prompt, bars in found.items()
        for hundredth, (images, instances) in enumerate(
            zip(bars.images, bars.instances, strict=True)
        )
        if images or instances
    ]
    if rows:
        session.execute(insert(ScoreCountRow), rows)
    session.execute(
        update(CountRow)
        .where(CountRow.batch_id == begun.batch_id)
        .values(
            version=begun.version,
            finished_at=begun.finished_at,
            rule=digest_of(rule),
            thresholds=digest_of_thresholds(rule),
            images=count_done(session, begun.batch_id),
            blocks_version=begun.version,
        )
    )
    return True


def forget_earlier(session: Session, batch_id: UUID) -> bool:
    """Delete a part of what nobody reads any more; whether there may be more of it."""
    version = session.scalar(select(CountRow.version).where(CountRow.batch_id == batch_id))
    removal.remove_score_blocks(session, batch_id, before=version or 0)
    gone = removal.remove_uncertainties(session, batch_id, before=version or 0)
    return gone >= removal.BLOCK
