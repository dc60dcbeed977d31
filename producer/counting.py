"""Counting what was found in a batch by score, and reading that as a histogram.

A clerk counts a large batch once it has ended, and again when it is read in another way. A small
one, or one at work that has few images so far, is counted whenever somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from db import counting, histogram, lookup
from db.session import Database
from maskpool import failpoints
from maskpool.histogram import ANY, Bars, digest_of
from maskpool.reading import reading_of
from maskpool.spec import BatchSpec
from producer.blocks import rest
from producer.pool import Pool
from producer.results import reader

#: Images whose instances are counted in one transaction, which costs some 50 ms.
BLOCK = 2_000

_NOT_YET = (
    "this batch is too large to be counted while it goes on, or a clerk is about to count it; "
    "ask again once it has ended"
)


class Exact(StrEnum):
    """For which thresholds the sums of a histogram are exact."""

    #: For any, prompt by prompt.
    ALWAYS = "always"
    #: As long as all prompts have the same, since one prompt's instances yield to another's.
    ONE_THRESHOLD = "one_threshold"
    #: For none: the batch is read in another way since it was counted. A clerk counts it anew.
    ABOUT = "about"


@dataclass(frozen=True, slots=True)
class NamedBars:
    """The histogram of one prompt."""

    name: str
    bars: Bars


@dataclass(frozen=True, slots=True)
class Histogram:
    """What was found in a batch, by score.

    Attributes:
        exact: For which thresholds.
        images: That are done, and so were counted.
        prompts: In the order of the batch's prompts; then the classes of objects that are there.
        together: Of all prompts: images with an instance of any, and all instances.
        not_yet: Why there is none; empty where there is.
    """

    exact: Exact
    images: int
    prompts: tuple[NamedBars, ...]
    together: Bars
    not_yet: str = ""


def read(pool: Pool, batch_id: UUID) -> Histogram:
    """The histogram of a batch, as it is read now.

    Raises:
        NotFound: There is no such batch.
    """
    view = reader.view(pool.database, batch_id)
    with pool.database.snapshot() as session:
        known = histogram.counted(session, batch_id)
        is_same = known is not None and known.rule == digest_of(view.rule)
        progress = lookup.progress(session, batch_id)
        is_small = progress.total <= counting.MANY
        if known is not None and (is_same or not is_small):
            images, found = known.images, histogram.kept(session, batch_id)
        elif is_small:
            same = same_names(view.categories)
            found = histogram.bars(session, batch_id, view.rule, same)
            images, is_same = histogram.count_done(session, batch_id), True
        else:
            return Histogram(Exact.ABOUT, 0, (), Bars(), _NOT_YET)
    exact = Exact.ONE_THRESHOLD if view.rule.exclusive else Exact.ALWAYS
    names = view.categories
    shown = [
        NamedBars(name, found.get(index, Bars()))
        for index, name in enumerate(names)
        if index in found or index < len(view.spec.prompts)
    ]
    together = found.get(ANY, Bars())
    return Histogram(exact if is_same else Exact.ABOUT, images, tuple(shown), together)


def same_names(categories: tuple[str, ...]) -> dict[int, int]:
    """Categories that bear the name of an earlier one, and which that is."""
    first: dict[str, int] = {}
    for index, name in enumerate(categories):
        first.setdefault(name, index)
    return {i: first[name] for i, name in enumerate(categories) if first[name] != i}


def count(
    database: Database,
    batch_id: UUID,
    *,
    fence: Callable[[Session], None],
    on_step: Callable[[int, int], None],
) -> int | None:
    """Count a batch that has ended, block by block, and keep that.

    Args:
        database: The pool's database.
        batch_id: Which.
        fence: Called in each transaction that writes.
        on_step: Called between two blocks with the images that were counted, and how many there
            are; what it raises ends the counting, and nothing was changed that anybody reads.

    Returns:
        How many images there are; None where the batch is gone or goes on: its next end asks again.

    Raises:
        Unreachable: The database is away.
    """
    with database.write() as session:
        fence(session)
        begun = counting.begin(session, batch_id)
        known = histogram.counted(session, batch_id)
    if begun is None:
        return None
    spec = BatchSpec.read(begun.spec)
    names = [prompt.name for prompt in spec.prompts]
    rule = reading_of(begun.spec, begun.reading).rule_for(names)
    same = same_names(spec.categories)
    if known is not None and known.is_of(rule) and known.blocks:
        _forget_earlier(database, batch_id)
        return begun.total
    from producer import kept_scores  # noqa: PLC0415 - numpy, which the web's start is spared

    found: dict[int, Bars] = {}
    with database.snapshot() as session:
        places = kept_scores.places_by_name(session, batch_id, begun.total)
    for first in range(0, begun.total, BLOCK):
        seqs = range(first, min(first + BLOCK, begun.total))
        with database.read() as session:
            made = kept_scores.make(session, batch_id, rule, seqs, places, same=same)
        _add(found, made.bars)
        with database.write() as session:
            fence(session)
            if not counting.write_block(session, begun, rule, seqs, made.content):
                return None
        rest(database)
        failpoints.reach("count.block")
        on_step(seqs.stop, begun.total)
    with database.write() as session:
        fence(session)
        kept = counting.keep(session, begun, rule, found)
    failpoints.reach("count.kept")
    _forget_earlier(database, batch_id)
    return begun.total if kept else None


def _add(found: dict[int, Bars], more: Mapping[int, Bars]) -> None:
    for prompt, bars in more.items():
        found.setdefault(prompt, Bars()).add_all(bars)


def _forget_earlier(database: Database, batch_id: UUID) -> None:
    whole = True
    while whole:
        with database.write() as session:
            whole = counting.forget_earlier(session, batch_id)
        rest(database)
