"""What blocks of scores are made of, and reading those that are kept; arrays are made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Row, and_, case, select
from sqlalchemy.orm import Session

from db.instances import admitted, best, within
from db.models import InstanceRow, JobRow, ScoreBlockRow
from maskpool.histogram import without_thresholds
from maskpool.reading_rule import ReadingRule

#: Blocks read at once: some megabytes.
_AT_ONCE = 32

#: Names read at once.
_NAMES = 10_000


def scores(
    session: Session, batch_id: UUID, rule: ReadingRule, seqs: range
) -> Sequence[Row[tuple[int, int, float, int, int, int]]]:
    """All instances of some images, image by image.

    Returns:
        Of each: ``seq`` of its image, its ``prompt_index``, its score as the database holds it, and
        three times 1 or 0: whether it counts, whether it is the mask of an object, and whether it
        counts once its score reaches a threshold.
    """
    at_any = without_thresholds(rule)
    return session.execute(
        select(
            InstanceRow.seq,
            InstanceRow.prompt_index,
            InstanceRow.score,
            case((and_(admitted(rule), best(rule)), 1), else_=0),
            case((InstanceRow.object_index.is_not(None), 1), else_=0),
            case((and_(admitted(at_any), best(at_any)), 1), else_=0),
        )
        .where(InstanceRow.batch_id == batch_id, within(seqs))
        .order_by(InstanceRow.seq, InstanceRow.ordinal)
    ).all()


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
