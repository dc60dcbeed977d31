"""How many images and instances there are at each score: which rule that holds for, and as bars.

A histogram is of one reading rule without its thresholds, so that a threshold can be moved over it.
What has a score of at least ``h`` hundredths is the sum of its bars from ``h`` on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from maskpool.reading_rule import PromptRule, ReadingRule

#: In the place of a prompt's index: all of them together.
ANY = -1

#: Bars of a histogram: scores of 0.00 to 1.00. The masks of objects count at any threshold, so
#: they are in the last.
BARS = 101


class Bar(NamedTuple):
    """What has one score, in hundredths, rounded down.

    Attributes:
        prompt: Index of a category, or ``ANY``.
        hundredth: 0 to 100.
        images: Whose best instance of that prompt is here.
        instances: All of them.
    """

    prompt: int
    hundredth: int
    images: int
    instances: int


@dataclass
class Bars:
    """The bars of one prompt, each by its hundredth."""

    images: list[int] = field(default_factory=lambda: [0] * BARS)
    instances: list[int] = field(default_factory=lambda: [0] * BARS)

    def add(self, bar: Bar) -> None:
        """Make a bar higher."""
        self.images[bar.hundredth] += bar.images
        self.instances[bar.hundredth] += bar.instances

    def add_all(self, other: Bars) -> None:
        """Make each bar higher by another one's."""
        self.images = [one + more for one, more in zip(self.images, other.images, strict=True)]
        self.instances = [
            one + more for one, more in zip(self.instances, other.instances, strict=True)
        ]


def at_least(bars: Sequence[int], hundredth: int) -> int:
    """How many have a score of at least so many hundredths."""
    return sum(bars[hundredth:])


def hundredth_of(threshold: float) -> int | None:
    """A threshold in hundredths; None where it lies between two of them."""
    nearest = round(threshold * 100)
    return nearest if nearest / 100 == threshold else None


def without_thresholds(rule: ReadingRule) -> ReadingRule:
    """The same rule at the least threshold there is, which a histogram is of.

    With ``exclusive`` this is exact at any threshold that all prompts share: a contender scores at
    least as high as what yields to it, so where that counts, no threshold rules the contender out.
    ``max_count`` is exact, too: the best at a threshold are the best of all, as far as they reach
    it.
    """
    prompts = {i: replace(own, threshold=None) for i, own in rule.prompts.items()}
    others = {i: own for i, own in prompts.items() if own != PromptRule()}
    return replace(rule, threshold=0.0, prompts=others)


def threshold_of(rule: ReadingRule, prompt: int) -> float:
    """The threshold that a rule has for a prompt."""
    own = rule.prompts.get(prompt)
    return rule.threshold if own is None or own.threshold is None else own.threshold


def is_even(rule: ReadingRule) -> bool:
    """Whether all prompts have one threshold."""
    return all(threshold_of(rule, index) == rule.threshold for index in rule.prompts)


def digest_of(rule: ReadingRule) -> str:
    """What stands for a rule without its thresholds."""
    return _digest(asdict(without_thresholds(rule)))


def digest_of_thresholds(rule: ReadingRule) -> str:
    """What stands for the thresholds of a rule."""
    own = {i: threshold_of(rule, i) for i in rule.prompts}
    return _digest([rule.threshold, {i: one for i, one in own.items() if one != rule.threshold}])


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
