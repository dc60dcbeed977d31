"""One page of a batch's images and how many there are, by whichever way is cheapest.

Each way gives the same list, so that a cursor of one is good for another: a page may be read while
a clerk counts the batch, the next one after that.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from db import images
from db.histogram import Counted
from db.image_rows import Image
from db.images import Order
from maskpool.errors import CorruptObject
from maskpool.histogram import digest_of_thresholds
from producer.listing_asked import Asked
from producer.totals import Total, said_by_histogram, total

if TYPE_CHECKING:
    from producer.kept_scores import Picked

_LOG = logging.getLogger(__name__)


def listed(
    session: Session, asked: Asked, known: Counted | None
) -> tuple[list[Image], Total | None]:
    """The images of a page, and on the first one how many there are on all.

    Args:
        session: Reads one moment.
        asked: Which page.
        known: What is kept of the batch's counts.
    """
    if known is not None and known.blocks and known.is_of(asked.view.rule) and _pays(asked):
        try:
            found = _kept(session, asked, known)
        except CorruptObject as error:
            _LOG.warning("batch %s is listed from its rows: %s", asked.view.batch_id, error)
            found = None
        if found is not None:
            return found
    return plain(session, asked, known)


def plain(
    session: Session, asked: Asked, known: Counted | None
) -> tuple[list[Image], Total | None]:
    """The same from the rows of images and instances."""
    view = asked.view
    fits = known is not None and known.thresholds == digest_of_thresholds(view.rule)
    found = images.page(
        *(session, view.batch_id, view.rule, asked.choice),
        order=asked.order,
        seed=asked.seed,
        after=asked.after,
        skip=asked.skip,
        limit=asked.limit,
        version=known.version if known is not None and fits else None,
    )
    if asked.after is not None:
        return found, None
    # Nothing behind what was passed over says nothing about how much that was.
    ends_here = len(found) < asked.limit and (found or not asked.skip)
    if ends_here:
        return found, Total(asked.skip + len(found))
    return found, total(session, view, asked.choice, known)


def _pays(asked: Asked) -> bool:
    """Whether blocks are cheaper than rows: not where an index is in the list's order already."""
    choice = asked.choice
    is_all = not choice.states and choice.found is None
    in_index = asked.order is Order.SEQ or (
        asked.order is Order.UNCERTAIN and choice.prompts is None
    )
    return not (is_all and in_index)


def _kept(
    session: Session, asked: Asked, known: Counted
) -> tuple[list[Image], Total | None] | None:
    """A page out of the kept blocks of scores; None where they do not know the cursor."""
    from producer import kept_scores  # noqa: PLC0415 - numpy, at first use only

    view, after = asked.view, asked.after
    if after is not None and asked.order is Order.NAME:
        after = kept_scores.place_by_name(session, view.batch_id, known.version, after)
        if after is None:
            return None
    said = None if after is not None else said_by_histogram(session, view, asked.choice, known)
    picked: Picked = kept_scores.pick(
        session,
        known.version,
        replace(asked, after=after),
        with_total=after is None and said is None,
    )
    found = images.at(session, view.batch_id, picked.places, asked.order)
    if after is not None:
        return found, None
    return found, said if picked.total is None else Total(picked.total)
