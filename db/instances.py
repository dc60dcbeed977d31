"""Reading instances' rows: counts and boxes without opening a mask object."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from db.models import InstanceRow
from maskpool.domain import ReadingRule


def admitted(rule: ReadingRule) -> ColumnElement[bool]:
    """The reading rule as one SQL predicate; the twin of ``ReadingRule.admits``."""
    condition: ColumnElement[bool] = InstanceRow.score >= rule.threshold
    if rule.max_overlap is not None:
        condition &= InstanceRow.overlap <= rule.max_overlap
    return condition & or_(
        InstanceRow.clip_score.is_(None), InstanceRow.clip_score >= rule.clip_margin
    )


def count_by_prompt(session: Session, batch_id: UUID, rule: ReadingRule) -> dict[int, int]:
    """How many instances of each prompt count under a rule."""
    rows = session.execute(
        select(InstanceRow.prompt_index, func.count())
        .where(InstanceRow.batch_id == batch_id, admitted(rule))
        .group_by(InstanceRow.prompt_index)
    )
    return {index: count for index, count in rows}  # noqa: C416 - a Row is no pair to mypy
