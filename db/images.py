"""Pages of a batch's images: which, in which order, and how many of each prompt count in them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    cast,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from db import uncertain
from db.image_rows import Choice, Image, Place, chosen, fetched, rows
from db.instances import admitted, best
from db.models import InstanceRow, JobRow
from maskpool.reading_rule import ReadingRule

#: A prime below 2³¹: its squares fit the integers of both databases.
_PRIME = 2_147_483_647

#: Steps of the two mixings; primitive roots of that prime (Park and Miller, CACM 31, 1988;
#: Fishman and Moore, 1986).
_FIRST, _SECOND, _THIRD = 48_271, 69_621, 16_807


class Order(StrEnum):
    """In which order images are listed."""

    #: As they were submitted.
    SEQ = "seq"
    NAME = "name"
    #: Those with an instance whose score lies nearest to the threshold come first.
    UNCERTAIN = "uncertain"
    #: By chance, and the same again for the same seed.
    RANDOM = "random"


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
        where = (session, batch_id, rule, choice)
        return uncertain.page(*where, after=after, part=(skip, limit), version=version)
    key = _key(order, seed)
    which: list[ColumnElement[bool]] = [JobRow.batch_id == batch_id, chosen(rule, choice)]
    if after is not None:
        which.append(_behind(key, order, *after))
    by = [JobRow.seq] if order is Order.SEQ else [key, JobRow.seq]
    return fetched(session, rows(key).where(*which).order_by(*by).offset(skip).limit(limit))


def at(session: Session, batch_id: UUID, places: Sequence[Place], order: Order) -> list[Image]:
    """The images at some places of a list, in their order; by name, the key is the name.

    Args:
        session: Read from.
        batch_id: Whose.
        places: Key and ``seq`` of each.
        order: Of the list.
    """
    which = (JobRow.batch_id == batch_id, JobRow.seq.in_([seq for _, seq in places]))
    there = {image.seq: image for image in fetched(session, rows(literal(0)).where(*which))}
    found = ((key, there[seq]) for key, seq in places if seq in there)
    by_name = order is Order.NAME
    return [image._replace(key=image.name if by_name else key) for key, image in found]


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
    which = [JobRow.batch_id == batch_id, chosen(rule, choice)]
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
