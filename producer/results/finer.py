"""What became of masks that were to be made finer: how far each came, and which pictures failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maskpool.fineness import Fineness

#: Images that are named at most; their count is always exact.
_MAX_NAMED = 1_000

#: Of these, in a sentence.
_SAID = 3


@dataclass(frozen=True, slots=True)
class Unseen:
    """An image whose own edges could not be used.

    Attributes:
        file_name: The image's name.
        reason: Why not, a sentence.
    """

    file_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FinerMasks:
    """All masks so far.

    Attributes:
        taken: How many came to each level, by ``Fineness.rank``; those that came less far than
            was asked would have changed too much, or their picture was not to be had.
        unseen: Images that ``high`` could not look at; their masks came to ``medium`` at most.
        unseen_medium: Masks of them that came to ``medium``, the most they could.
        named: The first of them.
    """

    taken: tuple[int, int, int, int] = (0, 0, 0, 0)
    unseen: int = 0
    unseen_medium: int = 0
    named: tuple[Unseen, ...] = ()

    @classmethod
    def of(cls, taken: Sequence[Fineness], unseen: Unseen | None = None) -> FinerMasks:
        """The masks of one image."""
        none, low, medium, high = (taken.count(level) for level in Fineness)
        if unseen is None:
            return cls((none, low, medium, high))
        return cls((none, low, medium, high), 1, medium, (unseen,))

    def and_those_of(self, other: FinerMasks | None) -> FinerMasks:
        """These, and those of one more image."""
        if other is None:
            return self
        none, low, medium, high = (a + b for a, b in zip(self.taken, other.taken, strict=True))
        return FinerMasks(
            (none, low, medium, high),
            self.unseen + other.unseen,
            self.unseen_medium + other.unseen_medium,
            (self.named + other.named)[:_MAX_NAMED] if other.named else self.named,
        )

    def json(self, asked: Fineness) -> dict[str, object]:
        """What was asked, what was taken, and whose picture was not to be had."""
        said: dict[str, object] = {
            "asked": asked.value,
            "taken": {level.value: self.taken[level.rank] for level in Fineness},
            "changed_too_much": self.changed_too_much(asked),
        }
        if self.unseen:
            named = [{"file_name": one.file_name, "reason": one.reason} for one in self.named]
            said |= {"unseen": self.unseen, "unseen_images": named}
        return said

    def changed_too_much(self, asked: Fineness) -> int:
        """Masks of which a step was not taken, though it could be made."""
        short = sum(self.taken[: asked.rank])
        # Of an image that was not seen, medium is all there is to take.
        return short - self.unseen_medium if asked is Fineness.HIGH else short

    def sentences(self, asked: Fineness) -> list[str]:
        """What a user is told."""
        said = []
        if count := self.changed_too_much(asked):
            said.append(
                f"{count:,} of {sum(self.taken):,} masks are less fine than {asked.value}: a step "
                "would have changed too much of them and was not taken"
            )
        if self.unseen:
            names = "; ".join(f"{one.file_name}: {one.reason}" for one in self.named[:_SAID])
            more = f"; and {self.unseen - _SAID:,} more" if self.unseen > _SAID else ""
            said.append(
                f"the pictures of {self.unseen:,} images could not be used, so their masks are "
                f"medium at most: {names}{more}"
            )
        return said


#: Of a dataset before any.
NO_FINER_MASKS = FinerMasks()
