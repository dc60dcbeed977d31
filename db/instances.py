"""Reading instances' rows: counts and boxes without opening a mask object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from db.models import InstanceRow
from maskpool.reading_rule import ReadingRule


def admitted(rule: ReadingRule, row: type[InstanceRow] = InstanceRow) -> ColumnElement[bool]:
    """The reading rule as one SQL predicate; the twin of ``ReadingRule.admitted``.

    But for ``max_count``: ``best`` says that.
    """
    condition = _admits(rule, row)
    if not rule.exclusive:
        return condition
    rival = aliased(InstanceRow)
    takes_it = select(rival.ordinal).where(_is_contender(rival, row), _admits(rule, rival)).exists()
    # The first half spares nearly all rows the look at a rival.
    return condition & or_(row.contender.is_(None), ~takes_it)


def best(rule: ReadingRule) -> ColumnElement[bool]:
    """Whether an admitted instance is not beyond the count of its prompt; best first, as stored."""
    most = {i: own.max_count for i, own in rule.prompts.items() if own.max_count is not None}
    if not most:
        return true()
    better = aliased(InstanceRow)
    before = (
        select(func.count())
        .where(
            better.batch_id == InstanceRow.batch_id,
            better.seq == InstanceRow.seq,
            better.prompt_index == InstanceRow.prompt_index,
            better.ordinal < InstanceRow.ordinal,
            better.object_index.is_(None),
            admitted(rule, better),
        )
        .correlate(InstanceRow)
        .scalar_subquery()
    )
    cases = {index: before < count for index, count in most.items()}
    within = case(cases, value=InstanceRow.prompt_index, else_=true())
    return or_(InstanceRow.object_index.is_not(None), within)


def _admits(rule: ReadingRule, row: type[InstanceRow]) -> ColumnElement[bool]:
    """The twin of ``ReadingRule.admits``, for a table under whichever name."""
    condition = _bounds(rule, row)
    if rule.max_overlap is not None:
        condition &= row.overlap <= rule.max_overlap
    condition &= or_(row.clip_score.is_(None), row.clip_score >= rule.clip_margin)
    condition &= or_(row.against.is_(None), row.against <= rule.max_against)
    return or_(row.object_index.is_not(None), condition)


def _bounds(rule: ReadingRule, row: type[InstanceRow]) -> ColumnElement[bool]:
    """Score and area within what holds for the prompt."""
    usual = row.score >= rule.threshold
    if not rule.prompts:
        return usual
    cases = {
        index: and_(
            row.score >= (rule.threshold if own.threshold is None else own.threshold),
            row.area >= own.min_area,
            true() if own.max_area is None else row.area <= own.max_area,
        )
        for index, own in rule.prompts.items()
    }
    return case(cases, value=row.prompt_index, else_=usual)


def _is_contender(
    rival: type[InstanceRow], row: type[InstanceRow] = InstanceRow
) -> ColumnElement[bool]:
    return and_(
        rival.batch_id == row.batch_id,
        rival.seq == row.seq,
        rival.ordinal == row.contender,
    )


def _counted(which: Sequence[ColumnElement[bool]]) -> Select[int, int]:
    return (
        select(InstanceRow.prompt_index, func.count())
        .where(*which)
        .group_by(InstanceRow.prompt_index)
    )


def _at_most(most: Mapping[int, int], which: Sequence[ColumnElement[bool]]) -> Select[int, int]:
    """The same, where an image counts no more than so many of some prompts."""
    # The masks of objects are of other categories than the prompts, so none of them is cut off.
    index, count = InstanceRow.prompt_index, func.count()
    limit = case(dict(most), value=index, else_=count)
    of_image = (
        select(index.label("prompt"), case((count < limit, count), else_=limit).label("kept"))
        .where(*which)
        .group_by(InstanceRow.seq, index)
        .subquery()
    )
    return select(of_image.c.prompt, func.sum(of_image.c.kept)).group_by(of_image.c.prompt)


def count_by_prompt(
    session: Session, batch_id: UUID, rule: ReadingRule, seqs: range | None = None
) -> Counter[int]:
    """How many instances of each prompt count under a rule.

    Args:
        session: Of the pool's database.
        batch_id: Whose.
        rule: Which count.
        seqs: Only those of these jobs; None for all.
    """
    which = (InstanceRow.batch_id == batch_id, within(seqs), admitted(rule))
    most = {i: own.max_count for i, own in rule.prompts.items() if own.max_count is not None}
    rows = session.execute(_at_most(most, which) if most else _counted(which))
    return Counter({index: int(count) for index, count in rows})


def contending_pairs(
    session: Session, batch_id: UUID, rule: ReadingRule, seqs: range | None = None
) -> Counter[tuple[int, int]]:
    """How many instances are contended, by the two prompts that contend, the lower prompt first.

    Only where the instance and its contender both count by themselves.

    Args:
        session: Of the pool's database.
        batch_id: Whose.
        rule: Which count.
        seqs: Only those of these jobs; None for all.
    """
    rival = aliased(InstanceRow)
    rows = session.execute(
        select(InstanceRow.prompt_index, rival.prompt_index, func.count())
        .join(rival, _is_contender(rival))
        .where(
            InstanceRow.batch_id == batch_id,
            within(seqs),
            InstanceRow.contender.is_not(None),
            _admits(rule, InstanceRow),
            _admits(rule, rival),
        )
        .group_by(InstanceRow.prompt_index, rival.prompt_index)
    )
    pairs: Counter[tuple[int, int]] = Counter()
    for one, other, count in rows:
        pairs[min(one, other), max(one, other)] += count
    return pairs


def within(seqs: range | None) -> ColumnElement[bool]:
    """Whether an instance is of one of some images; None: of any."""
    return true() if seqs is None else InstanceRow.seq.between(seqs.start, seqs.stop - 1)
