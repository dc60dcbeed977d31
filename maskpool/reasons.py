"""Why a stored instance does not count; ``ReadingRule.admitted`` says whether it does.

The Studio's ``reading.js`` says the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from maskpool.domain import Instance
from maskpool.reading_rule import ReadingRule


class Reason(StrEnum):
    """What keeps an instance from counting; the first that applies, in this order."""

    COUNTS = ""
    SCORE = "score"
    AREA = "area"
    OVERLAP = "overlap"
    CLIP = "clip"
    AGAINST = "against"
    CONTENDER = "contender"
    COUNT = "count"


def reasons(rule: ReadingRule, instances: Sequence[Instance]) -> list[Reason]:
    """Why each instance of one image does not count.

    Args:
        rule: By which they are read.
        instances: All that are stored of the image, in their order.
    """
    counting = {id(one) for one in rule.admitted(instances)}
    alone = [rule.admits(one) for one in instances]

    def reason(one: Instance, *, by_itself: bool) -> Reason:
        if id(one) in counting:
            return Reason.COUNTS
        if not by_itself:
            return _by_itself(rule, one)
        return Reason.CONTENDER if rule.yields(one, alone) else Reason.COUNT

    return [reason(one, by_itself=by) for one, by in zip(instances, alone, strict=True)]


def _by_itself(rule: ReadingRule, one: Instance) -> Reason:
    """Of an instance that would not count if it were alone in its image."""
    if one.found.score < rule.threshold_of(one.found.prompt_index):
        return Reason.SCORE
    if not rule.in_bounds(one):
        return Reason.AREA
    if rule.max_overlap is not None and one.overlap > rule.max_overlap:
        return Reason.OVERLAP
    if one.clip_score is not None and one.clip_score < rule.clip_margin:
        return Reason.CLIP
    return Reason.AGAINST
