"""Counting by score: the bars of a histogram from instances' rows, and those that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.orm import Session

from db.instances import admitted, best, within
from db.models import BatchRow, CountRow, InstanceRow, JobRow, ScoreCountRow
from maskpool.domain import BatchState, JobState
from maskpool.histogram import (
    ANY,
    BARS,
    Bar,
    Bars,
    digest_of,
    digest_of_thresholds,
    without_thresholds,
)
from maskpool.reading_rule import ReadingRule


class Counted(NamedTuple):
    """What a batch's kept counts are of.

    Attributes:
        version: Whose rows they are.
        rule: ``maskpool.histogram.digest_of``.
        thresholds: ``maskpool.histogram.digest_of_thresholds``; of the uncertainties alone.
        images: Images that are DONE.
        blocks: Whether all blocks of scores of that version are there.
    """

    version: int
    rule: str
    thresholds: str
    images: int
    blocks: bool

    def is_of(self, rule: ReadingRule) -> bool:
        """Whether all of it holds for a rule."""
        return (self.rule, self.thresholds) == (digest_of(rule), digest_of_thresholds(rule))


def counted(session: Session, batch_id: UUID) -> Counted | None:
    """What is kept; None where nothing is, or the batch went on since it was counted."""
    row = session.execute(
        select(CountRow.version, CountRow.rule, CountRow.thresholds, CountRow.images, HAS_BLOCKS)
        .join(BatchRow, BatchRow.id == CountRow.batch_id)
        .where(CountRow.batch_id == batch_id, IS_COUNTED)
    ).one_or_none()
    return None if row is None else Counted._make(row)


#: Whether the blocks of scores are of the same version as the other counts. A clerk of before there
#: were any leaves NULL, or an earlier version.
HAS_BLOCKS = and_(CountRow.blocks_version.is_not(None), CountRow.blocks_version == CountRow.version)

#: Whether a batch's counts are those of its end; its row is joined to that of its counts.
IS_COUNTED = and_(
    CountRow.version.is_not(None),
    BatchRow.state.in_(BatchState.ended()),
    BatchRow.finished_at == CountRow.finished_at,
)


def kept(session: Session, batch_id: UUID, prompt: int | None = None) -> dict[int, Bars]:
    """The kept histogram by prompt, ``ANY`` included; or that of one prompt alone."""
    query = select(
        ScoreCountRow.prompt_index,
        ScoreCountRow.hundredth,
        ScoreCountRow.images,
        ScoreCountRow.instances,
    ).where(ScoreCountRow.batch_id == batch_id)
    if prompt is not None:
        query = query.where(ScoreCountRow.prompt_index == prompt)
    found: dict[int, Bars] = {}
    for row in session.execute(query):
        found.setdefault(row.prompt_index, Bars()).add(Bar(*row))
    return found


def bars(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    same: Mapping[int, int],
    seqs: range | None = None,
) -> dict[int, Bars]:
    """Count the instances of some images by score: by prompt, ``ANY`` included.

    Args:
        session: Read from.
        batch_id: Whose.
        rule: Which instances count; its thresholds are left out.
        same: Categories that bear the name of an earlier one, and which that is.
        seqs: Only these images; None: all.
    """
    each = _counting(batch_id, without_thresholds(rule), same, seqs)
    of_image = (
        select(each.c.prompt, func.max(each.c.hundredth).label("hundredth"))
        .group_by(each.c.seq, each.c.prompt)
        .subquery()
    )
    of_any = (
        select(literal(ANY).label("prompt"), func.max(each.c.hundredth).label("hundredth"))
        .group_by(each.c.seq)
        .subquery()
    )
    found: dict[int, Bars] = {}
    for images, counted_ in ((True, of_image), (True, of_any), (False, each)):
        for prompt, hundredth, count in session.execute(_by_score(counted_)):
            bar = Bar(prompt, hundredth, count if images else 0, 0 if images else count)
            found.setdefault(prompt, Bars()).add(bar)
            if not images:
                found.setdefault(ANY, Bars()).add(bar)
    return found


def count_done(session: Session, batch_id: UUID) -> int:
    """How many images of a batch are DONE, counted."""
    done = select(func.count()).where(JobRow.batch_id == batch_id, JobRow.state == JobState.DONE)
    return session.scalar(done.select_from(JobRow)) or 0


def _by_score(counted_: Subquery) -> Select[Any]:
    columns = (counted_.c.prompt, counted_.c.hundredth)
    return select(*columns, func.count()).group_by(*columns)


def _counting(
    batch_id: UUID, rule: ReadingRule, same: Mapping[int, int], seqs: range | None
) -> Subquery:
    prompt: ColumnElement[int] = InstanceRow.prompt_index.expression
    if same:
        prompt = case(dict(same), value=InstanceRow.prompt_index, else_=InstanceRow.prompt_index)
    return (
        select(InstanceRow.seq, prompt.label("prompt"), _hundredth().label("hundredth"))
        .where(InstanceRow.batch_id == batch_id, within(seqs), admitted(rule), best(rule))
        .subquery()
    )


def _hundredth() -> ColumnElement[int]:
    """The highest threshold, in hundredths, that an instance reaches.

    Rounded to the nearest first: 0.29 × 100 is less than 29 in floating point, and yet 0.29 reaches
    29/100, as the reading rule compares them.
    """
    nearest = func.round(cast(InstanceRow.score, Double) * 100.0, type_=Double)
    below = case((InstanceRow.score < nearest / 100.0, 1), else_=0)
    own = cast(nearest, Integer) - below
    return case((InstanceRow.object_index.is_not(None), BARS - 1), else_=own)
