"""How many images of a batch are chosen: from what is kept, counted, or about, from a sample."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.orm import Session

from db import histogram, images, lookup
from db.histogram import Counted
from db.image_rows import Choice
from maskpool.domain import JobState
from maskpool.histogram import ANY, Bars, at_least, digest_of, hundredth_of, is_even, threshold_of
from maskpool.reading_rule import ReadingRule
from producer.results.reader import BatchView
from producer.stretches import sample

#: Images up to which they are counted where nothing is kept, which takes some 50 ms at so many.
MANY = 20_000

#: Of the usual sample: 5,000 images, enough for a figure that says it is about.
_PART = 0.5


class Total(NamedTuple):
    """How many images are chosen.

    Attributes:
        images: How many.
        is_about: Estimated from a sample of the images.
    """

    images: int
    is_about: bool = False


def total(session: Session, view: BatchView, choice: Choice, known: Counted | None) -> Total:
    """How many images of a batch are chosen.

    Args:
        session: Read from.
        view: The batch, as it is read.
        choice: Which images.
        known: What its kept counts are of.
    """
    said = said_by_histogram(session, view, choice, known)
    if said is not None:
        return said
    everything = lookup.progress(session, view.batch_id).loaded
    chosen = (session, view.batch_id, view.rule, choice)
    if everything <= MANY:
        return Total(images.count(*chosen))
    stretches = sample(everything, part=_PART)
    found = sum(images.count(*chosen, seqs) for seqs in stretches)
    return Total(round(found * everything / sum(map(len, stretches))), is_about=True)


def said_by_histogram(
    session: Session, view: BatchView, choice: Choice, known: Counted | None
) -> Total | None:
    """The same where a batch's row or its kept histogram say it; None where they do not."""
    everything = lookup.progress(session, view.batch_id).loaded
    if not choice.states and choice.found is None:
        return Total(everything)
    kept = None if known is None else _from_kept(session, view, choice, known)
    if kept is None:
        return None
    # Of those that are not done, no instance is known.
    others = everything if not choice.states else known.images if known is not None else 0
    return Total(kept if choice.found else others - kept)


def _from_kept(session: Session, view: BatchView, choice: Choice, known: Counted) -> int | None:
    """Images in which an instance counts that is chosen; None where what is kept says it not."""
    low, high = choice.scores
    is_simple = choice.found is not None and high >= 1.0 and tuple(choice.states) in _DONE
    # The masks of objects are in the last bar, whatever their score.
    is_simple &= not low or not view.spec.classes
    if not is_simple or known.rule != digest_of(view.rule):
        return None
    if view.rule.exclusive and not is_even(view.rule):
        return None
    prompt, threshold = _asked(view.rule, choice)
    hundredth = None if threshold is None else hundredth_of(max(threshold, low))
    if hundredth is None:
        return None
    bars = histogram.kept(session, view.batch_id, prompt).get(prompt, Bars())
    return at_least(bars.images, hundredth)


_DONE = ((), (JobState.DONE,))


def _asked(rule: ReadingRule, choice: Choice) -> tuple[int, float | None]:
    """A prompt's index, or ``ANY``, and its threshold; None where it has no single one."""
    if choice.prompts is None:
        return ANY, rule.threshold if is_even(rule) else None
    first = choice.prompts[0]
    own = {threshold_of(rule, index) for index in choice.prompts}
    return first, own.pop() if len(own) == 1 else None
