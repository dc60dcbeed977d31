"""Pages of a batch's images: which, in which order, and how many of each prompt count in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    and_,
    cast,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session

from db.counting import distance
from db.instances import admitted, best
from db.models import InstanceRow, JobRow, UncertaintyRow
from maskpool.domain import JobState
from maskpool.reading_rule import ReadingRule

#: A prime below 2³¹: its squares fit the integers of both databases.
_PRIME = 2_147_483_647

#: Steps of the two mixings; primitive roots of that prime (Park and Miller, CACM 31, 1988;
#: Fishman and Moore, 1986).
_FIRST, _SECOND, _THIRD = 48_271, 69_621, 16_807

#: Of an image without any instance: behind all others.
CERTAIN = 2.0


class Order(StrEnum):
    """In which order images are listed."""

    #: As they were submitted.
    SEQ = "seq"
    NAME = "name"
    #: Those with an instance whose score lies nearest to the threshold come first.
    UNCERTAIN = "uncertain"
    #: By chance, and the same again for the same seed.
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which images are listed.

    Attributes:
        states: In one of these; none: in any.
        prompts: Of interest, by ``prompt_index``; None: all.
        scores: Least and largest score of an instance that counts.
        found: Whether an instance of those prompts and scores counts; None: either.
    """

    states: Sequence[JobState] = ()
    prompts: Sequence[int] | None = None
    scores: tuple[float, float] = (0.0, 1.0)
    found: bool | None = None


class Image(NamedTuple):
    """An image's row.

    Attributes:
        key: What it is ordered by, before ``seq``.
    """

    key: Any
    seq: int
    name: str
    state: JobState
    width: int | None
    height: int | None
    attempts: int
    error: str | None


#: Of an image in a list: its key and ``seq``.
Place: TypeAlias = tuple[Any, int]


def page(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    choice: Choice,
    *,
    order: Order = Order.SEQ,
    seed: int = 0,
    after: tuple[Any, int] | None = None,
    skip: int = 0,
    limit: int = 100,
    version: int | None = None,
) -> list[Image]:
    """One page of a batch's images.

    Args:
        session: Read from.
        batch_id: Whose.
        rule: Which instances count.
        choice: Which images.
        order: Of the list.
        seed: Of the random order.
        after: ``key`` and ``seq`` of the image before the page; None at the beginning.
        skip: Pass over so many behind it.
        limit: At most so many.
        version: Of the kept uncertainties of all images, where they are those of the rule.
    """
    if order is Order.UNCERTAIN:
        kept = version if choice.prompts is None else None
        distances = _kept(batch_id, kept) if kept is not None else _made(batch_id, rule, choice)
        where = (session, batch_id, rule, choice, distances)
        return _uncertain(*where, after=after, part=(skip, limit))
    key = _key(order, seed)
    which: list[ColumnElement[bool]] = [JobRow.batch_id == batch_id, _chosen(rule, choice)]
    if after is not None:
        which.append(_behind(key, order, *after))
    by = [JobRow.seq] if order is Order.SEQ else [key, JobRow.seq]
    return _images(session, _rows(key).where(*which).order_by(*by).offset(skip).limit(limit))


def _rows(key: ColumnElement[Any]) -> Select[Any]:
    return select(
        *(key.label("key"), JobRow.seq, JobRow.name, JobRow.state),
        *(JobRow.width, JobRow.height, JobRow.attempts, JobRow.error),
    )


def _images(session: Session, query: Select[Any]) -> list[Image]:
    return [Image(*row)._replace(state=JobState(row.state)) for row in session.execute(query)]


def at(session: Session, batch_id: UUID, places: Sequence[Place], order: Order) -> list[Image]:
    """The images at some places of a list, in their order; by name, the key is the name.

    Args:
        session: Read from.
        batch_id: Whose.
        places: Key and ``seq`` of each.
        order: Of the list.
    """
    which = (JobRow.batch_id == batch_id, JobRow.seq.in_([seq for _, seq in places]))
    rows = {image.seq: image for image in _images(session, _rows(literal(0)).where(*which))}
    found = ((key, rows[seq]) for key, seq in places if seq in rows)
    by_name = order is Order.NAME
    return [image._replace(key=image.name if by_name else key) for key, image in found]


def _kept(batch_id: UUID, version: int) -> Subquery:
    """The kept distances of a batch's images from their thresholds."""
    return (
        select(UncertaintyRow.distance, UncertaintyRow.seq)
        .where(UncertaintyRow.batch_id == batch_id, UncertaintyRow.version == version)
        .subquery()
    )


def _made(batch_id: UUID, rule: ReadingRule, choice: Choice) -> Subquery:
    """The same of some prompts, from instances' rows."""
    return (
        select(func.min(distance(rule)).label("distance"), InstanceRow.seq)
        .where(
            InstanceRow.batch_id == batch_id,
            InstanceRow.object_index.is_(None),
            _of_prompts(choice),
        )
        .group_by(InstanceRow.seq)
        .subquery()
    )


def _uncertain(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    choice: Choice,
    distances: Subquery,
    *,
    after: tuple[Any, int] | None,
    part: tuple[int, int],
) -> list[Image]:
    """The most uncertain images first; behind them those without an instance, by ``seq``.

    ``part`` is how many are passed over, and how many there are at most.
    """
    skip, limit = part
    chosen = and_(JobRow.batch_id == batch_id, _chosen(rule, choice))
    place, found = (distances.c.distance, distances.c.seq), []
    begun, last = after or (-1.0, -1)
    if begun < CERTAIN:
        query = (
            _rows(distances.c.distance)
            .select_from(distances)
            .join(JobRow, distances.c.seq == JobRow.seq)
            .where(chosen, tuple_(*place) > tuple_(literal(begun), literal(last)))
        )
        found = _images(session, query.order_by(*place).offset(skip).limit(limit))
        last = -1
        if skip and not found:
            all_kept = select(func.count()).select_from(query.subquery())
            skip -= session.scalar(all_kept) or 0
        else:
            skip = 0
    if len(found) < limit:
        left = _without(choice).where(chosen, JobRow.seq > last).order_by(JobRow.seq)
        found += _images(session, left.offset(skip).limit(limit - len(found)))
    return found


def _without(choice: Choice) -> Select[Any]:
    """Images in which the prompts found nothing."""
    has_one = select(InstanceRow.ordinal).where(
        InstanceRow.batch_id == JobRow.batch_id,
        InstanceRow.seq == JobRow.seq,
        InstanceRow.object_index.is_(None),
        _of_prompts(choice),
    )
    return _rows(literal(CERTAIN)).where(~has_one.correlate(JobRow).exists())


def count(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    choice: Choice,
    seqs: range | None = None,
) -> int:
    """How many images are chosen.

    Args:
        session: Read from.
        batch_id: Whose.
        rule: Which instances count.
        choice: Which images.
        seqs: Only of these; None: of all.
    """
    which = [JobRow.batch_id == batch_id, _chosen(rule, choice)]
    if seqs is not None:
        which.append(JobRow.seq.between(seqs.start, seqs.stop - 1))
    return session.scalar(select(func.count()).select_from(JobRow).where(*which)) or 0


def counts(
    session: Session, batch_id: UUID, rule: ReadingRule, seqs: Sequence[int]
) -> dict[int, dict[int, int]]:
    """How many instances of each prompt count in some images: by ``seq``, then by prompt."""
    rows = session.execute(
        select(InstanceRow.seq, InstanceRow.prompt_index, func.count())
        .where(
            InstanceRow.batch_id == batch_id,
            InstanceRow.seq.in_(seqs),
            admitted(rule),
            best(rule),
        )
        .group_by(InstanceRow.seq, InstanceRow.prompt_index)
    )
    found: dict[int, dict[int, int]] = {}
    for seq, prompt, count in rows:
        found.setdefault(seq, {})[prompt] = count
    return found


def _behind(key: ColumnElement[Any], order: Order, last: Any, seq: int) -> ColumnElement[bool]:  # noqa: ANN401
    if order is Order.SEQ:
        return JobRow.seq > seq
    return tuple_(key, JobRow.seq) > tuple_(literal(last), literal(seq))


def _key(order: Order, seed: int) -> ColumnElement[Any]:
    if order is Order.NAME:
        return JobRow.name.expression
    if order is Order.RANDOM:
        mixed: ColumnElement[int] = mixing(cast(JobRow.seq, BigInteger), seed)
        return mixed
    return literal(0)


def mixing(seqs: Any, seed: int) -> Any:  # noqa: ANN401 - a column, or an array of int64
    """A number for each image that looks like chance; where two are equal, ``seq`` decides."""
    start = (seed * _SECOND + 1) % _PRIME
    first = (seqs * _FIRST + start) % _PRIME
    squared = (first * first + _SECOND) % _PRIME
    return ((squared * _THIRD + first) % _PRIME * _FIRST) % _PRIME


def _chosen(rule: ReadingRule, choice: Choice) -> ColumnElement[bool]:
    states = JobRow.state.in_(choice.states) if choice.states else true()
    if choice.found is None:
        return states
    low, high = choice.scores
    there = (
        select(InstanceRow.ordinal)
        .where(
            InstanceRow.batch_id == JobRow.batch_id,
            InstanceRow.seq == JobRow.seq,
            _of_prompts(choice),
            InstanceRow.score.between(low, high),
            admitted(rule),
            best(rule),
        )
        .correlate(JobRow)
        .exists()
    )
    return and_(states, there if choice.found else ~there)


def _of_prompts(choice: Choice) -> ColumnElement[bool]:
    return true() if choice.prompts is None else InstanceRow.prompt_index.in_(choice.prompts)
