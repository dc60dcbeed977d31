"""Which stored instances count; ``db.instances`` says the same in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from maskpool.domain import DEFAULT_THRESHOLD, Instance

#: Default most that a negative text may explain an instance (docs/adr/0016).
DEFAULT_MAX_AGAINST = 0.3


@dataclass(frozen=True, slots=True)
class PromptRule:
    """What counts of one prompt.

    Attributes:
        threshold: Least score; None: as for all.
        min_area: Least pixels of a mask.
        max_area: Most pixels of a mask; None: any.
        max_count: Most instances in one image, the best ones; None: any.
    """

    threshold: float | None = None
    min_area: int = 0
    max_area: int | None = None
    max_count: int | None = None


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """Which stored instances count, decided on reading so that changing it costs no GPU.

    The masks of objects always count: somebody drew a box or points for each.

    ``exclusive`` is one step. An instance yields to its contender if that one counts *by itself*:
    under threshold, overlap, CLIP and negatives. So a contender that does not count takes nothing
    away. Whether the contender yields to a third one is not asked: of three instances that lie on
    each other, the best one stays. ``db.instances.admitted`` is the same rule in SQL.

    Attributes:
        threshold: Least score.
        max_overlap: Most overlap with a better instance of the same prompt; None switches the
            suppression of duplicates off.
        clip_margin: Least ``clip_score`` of instances that CLIP was asked about.
        max_against: Most that a negative text may explain an instance; 1 lets all of them count.
        exclusive: One object, one class: an instance yields to its contender.
        prompts: What differs for single prompts, by ``prompt_index``.
    """

    threshold: float = DEFAULT_THRESHOLD
    max_overlap: float | None = None
    clip_margin: float = 0.5
    max_against: float = DEFAULT_MAX_AGAINST
    exclusive: bool = False
    prompts: Mapping[int, PromptRule] = field(default_factory=dict)

    def admits(self, instance: Instance) -> bool:
        """Whether ``instance`` counts by itself, whatever else is in its image."""
        return instance.found.object_index is not None or (
            self.in_bounds(instance)
            and (self.max_overlap is None or instance.overlap <= self.max_overlap)
            and (instance.clip_score is None or instance.clip_score >= self.clip_margin)
            and (instance.against is None or instance.against <= self.max_against)
        )

    def admitted(self, instances: Sequence[Instance]) -> list[Instance]:
        """Those that count of all instances of one image, in their order.

        Args:
            instances: All that are stored of the image: ``contender`` is a place among them.
        """
        counting = [self.admits(instance) for instance in instances]
        kept = [
            instance
            for instance, counts in zip(instances, counting, strict=True)
            if counts and not self.yields(instance, counting)
        ]
        return self._best(kept) if self.prompts else kept

    def yields(self, instance: Instance, counting: Sequence[bool]) -> bool:
        """Whether ``instance`` yields to its contender.

        Args:
            instance: Of an image.
            counting: Whether each stored instance of that image counts by itself.
        """
        place = instance.contender
        return (
            self.exclusive and place is not None and 0 <= place < len(counting) and counting[place]
        )

    def threshold_of(self, prompt_index: int) -> float:
        """Least score of a prompt's instances."""
        own = self.prompts.get(prompt_index)
        return self.threshold if own is None or own.threshold is None else own.threshold

    def in_bounds(self, instance: Instance) -> bool:
        """Whether score and area are within what holds for its prompt."""
        own = self.prompts.get(instance.found.prompt_index) if self.prompts else None
        if own is None:
            return instance.found.score >= self.threshold
        return (
            instance.found.score >= self.threshold_of(instance.found.prompt_index)
            and instance.area >= own.min_area
            and (own.max_area is None or instance.area <= own.max_area)
        )

    def _best(self, kept: list[Instance]) -> list[Instance]:
        """Those that are not beyond the count of their prompt; best first within one, as stored."""
        left = {i: own.max_count for i, own in self.prompts.items() if own.max_count is not None}
        best = []
        for instance in kept:
            index = instance.found.prompt_index
            if instance.found.object_index is None and index in left:
                if not left[index]:
                    continue
                left[index] -= 1
            best.append(instance)
        return best
