"""Images by uncertainty: those with an instance whose score lies nearest to its threshold first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, FromClause, Select, Subquery, case, func, literal, select, tuple_
from sqlalchemy.orm import Session

from db.counting import distance
from db.image_rows import (
    Choice,
    Image,
    Place,
    chosen,
    counts_for,
    fetched,
    in_states,
    of_prompts,
    rows,
)
from db.models import InstanceRow, JobRow, UncertaintyRow
from maskpool.reading_rule import ReadingRule

#: Of an image without any instance: behind all others.
CERTAIN = 2.0

#: How far from a threshold the first pages by uncertainty are looked for, where all prompts count
#: and where some do; and among how many images at most.
_NEAR, _NEAR_OF_SOME, _CANDIDATES = 0.02, 0.05, 20_000

#: Images that are asked at once whether they are chosen. For more, Postgres reads all images.
_ASKED = 500


def page(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    choice: Choice,
    *,
    after: Place | None,
    part: tuple[int, int],
    version: int | None,
) -> list[Image]:
    """One page, the most uncertain images first.

    Args:
        session: Read from.
        batch_id: Whose.
        rule: Which instances count.
        choice: Which images; only instances of its prompts make an image uncertain.
        after: Distance and ``seq`` of the image before the page; None at the beginning.
        part: How many are passed over behind it, and how many there are at most.
        version: Of the kept uncertainties of all images, where they are those of the rule.
    """
    distances: FromClause
    left = choice  # of the images with a distance
    if version is not None and choice.prompts is None:
        distances = _kept(batch_id, version)
    elif choice.found is False and choice.prompts is None:
        # One pass over all instances: nearly each image near a threshold has one that counts.
        distances, left = _unfound(batch_id, rule, choice), replace(choice, found=None)
    else:
        skip, limit = part
        near = _nearest(session, batch_id, rule, choice, after=after, limit=skip + limit)
        if near is not None:
            return near[skip:]
        distances = _made(batch_id, rule, choice)
    choices = (left, choice)
    return _whole(session, batch_id, rule, choices, distances, after=after, part=part)


def _kept(batch_id: UUID, version: int) -> Subquery:
    """The kept distances of a batch's images from their thresholds."""
    return (
        select(UncertaintyRow.distance, UncertaintyRow.seq)
        .where(UncertaintyRow.batch_id == batch_id, UncertaintyRow.version == version)
        .subquery()
    )


def _made(batch_id: UUID, rule: ReadingRule, choice: Choice) -> CTE:
    """The same from instances' rows, made once.

    Postgres expects a third of the images, and so would make them in each of its workers.
    """
    query = _distances(batch_id, rule, choice)
    return query.cte("distances").prefix_with("MATERIALIZED", dialect="postgresql")


def _distances(batch_id: UUID, rule: ReadingRule, choice: Choice) -> Select[float, int]:
    return (
        select(func.min(distance(rule)).label("distance"), InstanceRow.seq.label("seq"))
        .where(
            InstanceRow.batch_id == batch_id,
            InstanceRow.object_index.is_(None),
            of_prompts(choice),
        )
        .group_by(InstanceRow.seq)
    )


def _unfound(batch_id: UUID, rule: ReadingRule, choice: Choice) -> Subquery:
    """The distances of images in which no instance counts that is asked for."""
    is_text = InstanceRow.object_index.is_(None)
    least = func.min(case((is_text, distance(rule))))
    return (
        select(least.label("distance"), InstanceRow.seq.label("seq"))
        .where(InstanceRow.batch_id == batch_id, of_prompts(choice))
        .group_by(InstanceRow.seq)
        .having(least.is_not(None), func.max(case((counts_for(rule, choice), 1), else_=0)) == 0)
        .subquery()
    )


def _nearest(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    choice: Choice,
    *,
    after: Place | None,
    limit: int,
) -> list[Image] | None:
    """The first images by uncertainty, if there are enough near the threshold; else None.

    Only instances near it are grouped by image, which spares most of them; a few images are then
    asked whether they are chosen.
    """
    begun, last = after or (-1.0, -1)
    reach = max(begun, 0.0) + (_NEAR if choice.prompts is None else _NEAR_OF_SOME)
    if reach >= 1.0:
        return None
    near = _distances(batch_id, rule, choice).where(distance(rule) <= reach).subquery()
    place = (near.c.distance, near.c.seq)
    is_all = not choice.states and choice.found is None
    query = select(*place).where(tuple_(*place) > tuple_(literal(begun), literal(last)))
    near_ones = session.execute(
        query.order_by(*place).limit(limit if is_all else _CANDIDATES)
    ).all()
    found: list[Image] = []
    wanted: dict[int, float] = {}
    for some in (near_ones[n : n + _ASKED] for n in range(0, len(near_ones), _ASKED)):
        keys = {seq: key for key, seq in some}
        if choice.found is not None:
            has_one = _with_one(session, batch_id, rule, choice, keys)
            keys = {seq: key for seq, key in keys.items() if (seq in has_one) == choice.found}
        wanted |= keys
        if len(found) + len(wanted) >= limit:
            found += _in_states(session, batch_id, choice, wanted)
            wanted = {}
        if len(found) >= limit:
            return found[:limit]
    return None


def _in_states(
    session: Session, batch_id: UUID, choice: Choice, keys: Mapping[int, float]
) -> list[Image]:
    """Some images in the states that are asked for, in their order; ``keys`` by ``seq``."""
    which = (JobRow.batch_id == batch_id, JobRow.seq.in_(keys), in_states(choice))
    there = {one.seq: one for one in fetched(session, rows(literal(0.0)).where(*which))}
    return [there[seq]._replace(key=key) for seq, key in keys.items() if seq in there]


def _whole(
    session: Session,
    batch_id: UUID,
    rule: ReadingRule,
    choices: tuple[Choice, Choice],
    distances: FromClause,
    *,
    after: tuple[Any, int] | None,
    part: tuple[int, int],
) -> list[Image]:
    """The most uncertain images first; behind them those without an instance, by ``seq``.

    ``choices`` is what is left to choose of the images with a distance, and what of all; ``part``
    is how many are passed over, and how many there are at most.
    """
    skip, limit = part
    of_batch = JobRow.batch_id == batch_id
    with_distance, of_all = choices
    place, found = (distances.c.distance, distances.c.seq), []
    begun, last = after or (-1.0, -1)
    if begun < CERTAIN:
        query = (
            rows(distances.c.distance)
            .select_from(distances)
            .join(JobRow, distances.c.seq == JobRow.seq)
            .where(
                of_batch,
                chosen(rule, with_distance),
                tuple_(*place) > tuple_(literal(begun), literal(last)),
            )
        )
        found = fetched(session, query.order_by(*place).offset(skip).limit(limit))
        last = -1
        if skip and not found:
            all_kept = select(func.count()).select_from(query.subquery())
            skip -= session.scalar(all_kept) or 0
        else:
            skip = 0
    if len(found) < limit:
        which = (of_batch, chosen(rule, of_all), JobRow.seq > last)
        left = _without(of_all).where(*which).order_by(JobRow.seq)
        found += fetched(session, left.offset(skip).limit(limit - len(found)))
    return found


def _with_one(
    session: Session, batch_id: UUID, rule: ReadingRule, choice: Choice, seqs: Collection[int]
) -> set[int]:
    """Those of some images in which an instance counts that is asked for.

    Asked of instances alone: joined to images, Postgres would read all instances.
    """
    which = (InstanceRow.batch_id == batch_id, InstanceRow.seq.in_(seqs))
    query = select(InstanceRow.seq).where(*which, counts_for(rule, choice))
    return set(session.scalars(query.distinct()))


def _without(choice: Choice) -> Select[Any]:
    """Images in which the prompts found nothing."""
    has_one = select(InstanceRow.ordinal).where(
        InstanceRow.batch_id == JobRow.batch_id,
        InstanceRow.seq == JobRow.seq,
        InstanceRow.object_index.is_(None),
        of_prompts(choice),
    )
    return rows(literal(CERTAIN)).where(~has_one.correlate(JobRow).exists())
