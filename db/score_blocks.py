"""What blocks of scores are made of, and reading those that are kept; arrays are made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, case, select
from sqlalchemy.orm import Session

from db.instances import admitted, best, within
from db.models import InstanceRow, JobRow, ScoreBlockRow
from maskpool.reading_rule import ReadingRule

#: Blocks read at once: some megabytes.
_AT_ONCE = 32

#: Names read at once.
_NAMES = 10_000


class ScoreRow(NamedTuple):
    """An instance.

    Attributes:
        seq: Its image.
        prompt: Its ``prompt_index``.
        score: As the database holds it.
        counts: 1 where it counts.
        is_object: 1 where it is the mask of an object.
    """

    seq: int
    prompt: int
    score: float
    counts: int
    is_object: int


def scores(session: Session, batch_id: UUID, rule: ReadingRule, seqs: range) -> list[ScoreRow]:
    """All instances of some images, image by image."""
    rows = session.execute(
        select(
            InstanceRow.seq,
            InstanceRow.prompt_index,
            InstanceRow.score,
            case((and_(admitted(rule), best(rule)), 1), else_=0),
            case((InstanceRow.object_index.is_not(None), 1), else_=0),
        )
        .where(InstanceRow.batch_id == batch_id, within(seqs))
        .order_by(InstanceRow.seq, InstanceRow.ordinal)
    )
    return [ScoreRow(*row) for row in rows]


def states(session: Session, batch_id: UUID, seqs: range) -> list[tuple[int, int]]:
    """``seq`` and state of some images."""
    rows = session.execute(
        select(JobRow.seq, JobRow.state).where(
            JobRow.batch_id == batch_id, JobRow.seq.between(seqs.start, seqs.stop - 1)
        )
    )
    return [(seq, state) for seq, state in rows]


def by_name(session: Session, batch_id: UUID) -> Iterator[int]:
    """``seq`` of all images, as the database orders their names, and equal ones by ``seq``."""
    rows = session.scalars(
        select(JobRow.seq).where(JobRow.batch_id == batch_id).order_by(JobRow.name, JobRow.seq),
        execution_options={"yield_per": _NAMES},
    )
    yield from rows


def contents(
    session: Session, batch_id: UUID, version: int, first: int = 0
) -> Iterator[tuple[int, bytes]]:
    """The kept blocks of a version from the one on that holds an image, in order.

    Yields:
        ``seq`` of a block's first image, and the block.
    """
    mine = (ScoreBlockRow.batch_id == batch_id, ScoreBlockRow.version == version)
    begin = session.scalar(
        select(ScoreBlockRow.first_seq)
        .where(*mine, ScoreBlockRow.first_seq <= first)
        .order_by(ScoreBlockRow.first_seq.desc())
        .limit(1)
    )
    after, count = (begin or 0) - 1, 1
    while True:
        rows = session.execute(
            select(ScoreBlockRow.first_seq, ScoreBlockRow.content)
            .where(*mine, ScoreBlockRow.first_seq > after)
            .order_by(ScoreBlockRow.first_seq)
            .limit(count)
        ).all()
        yield from ((first_seq, content) for first_seq, content in rows)
        if len(rows) < count:
            return
        # Often the first ones are enough.
        after, count = rows[-1][0], min(4 * count, _AT_ONCE)


def name_of(session: Session, batch_id: UUID, seq: int) -> str | None:
    """The name of an image; None where there is no such."""
    return session.scalar(select(JobRow.name).where(JobRow.batch_id == batch_id, JobRow.seq == seq))
