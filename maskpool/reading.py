"""What counts when results are read: kept beside the spec, and free to change at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from maskpool.domain import DEFAULT_THRESHOLD
from maskpool.errors import SpecError
from maskpool.reading_rule import DEFAULT_MAX_AGAINST, PromptRule, ReadingRule
from maskpool.strict import Strict, Unfit

#: A number from 0 to 1.
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ReadingSettings(Strict):
    """What version 1 of the spec can say of reading.

    Attributes:
        threshold: Least score, in [0, 1].
        max_overlap: Most mask IoU with a better instance of the same prompt, in [0, 1]; None keeps
            duplicates, as SAM3 was published.
    """

    threshold: Share = DEFAULT_THRESHOLD
    max_overlap: Share | None = None


class PromptReading(Strict):
    """What counts of one prompt; what is None is as for all prompts.

    Attributes:
        threshold: Least score, in [0, 1].
        min_area: Least area of a mask, pixels.
        max_area: Largest area of a mask, pixels.
        max_count: Most instances in one image: the best ones count.
        colour: In which it is drawn, as ``#rrggbb``.
    """

    threshold: Share | None = None
    min_area: Annotated[int, Field(ge=0)] | None = None
    max_area: Annotated[int, Field(ge=0)] | None = None
    max_count: Annotated[int, Field(ge=1)] | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        least, most = self.min_area, self.max_area
        if least is not None and most is not None and least > most:
            reason = f"min_area {least} is above max_area {most}: nothing would count"
            raise Unfit(reason, code="reading.areas", params={"least": least, "most": most})
        return self

    def rule(self) -> PromptRule:
        """The same as the domain's rule."""
        return PromptRule(
            threshold=self.threshold,
            min_area=self.min_area or 0,
            max_area=self.max_area,
            max_count=self.max_count,
        )


class Reading(ReadingSettings):
    """What counts when a batch is read.

    Attributes:
        exclusive: Whether an object belongs to one prompt alone: the one that scores highest.
        max_against: Most that a negative text of its prompt may explain an instance, in [0, 1]; 1
            lets all of them count.
        prompts: What differs for single prompts, by name.
    """

    exclusive: bool = False
    max_against: Share = DEFAULT_MAX_AGAINST
    prompts: dict[str, PromptReading] = Field(default_factory=dict)

    def rule_for(self, names: Sequence[str]) -> ReadingRule:
        """The same as the domain's rule.

        Args:
            names: Of the batch's prompts, in order.
        """
        return ReadingRule(
            threshold=self.threshold,
            max_overlap=self.max_overlap,
            max_against=self.max_against,
            exclusive=self.exclusive,
            prompts={names.index(name): one.rule() for name, one in self.prompts.items()},
        )

    @property
    def plain(self) -> bool:
        """Whether version 1 of the spec can say it."""
        return self == Reading(threshold=self.threshold, max_overlap=self.max_overlap)

    def in_version_1(self) -> ReadingSettings:
        """The part that version 1 of the spec can say."""
        return ReadingSettings(threshold=self.threshold, max_overlap=self.max_overlap)

    def dump(self) -> dict[str, Any]:
        """The JSON form, as stored on the batch; what is as usual is left out of prompts."""
        return {
            **self.model_dump(mode="json", exclude={"prompts"}),
            "prompts": {
                name: one.model_dump(mode="json", exclude_none=True)
                for name, one in self.prompts.items()
            },
        }

    def require_prompts(self, names: frozenset[str]) -> None:
        """Refuse settings of a prompt that there is not.

        Raises:
            SpecError: Names it.
        """
        for name in self.prompts:
            if name not in names:
                raise SpecError(
                    f"reading.prompts.{name}",
                    f"no prompt is named {name!r}; name one of the batch",
                    code="reading.no_prompt",
                    params={"name": name},
                )


@dataclass(frozen=True, slots=True)
class ReadingChanges:
    """What counts for once instead of what a batch says itself; None changes nothing.

    Attributes:
        threshold: Least score, of every prompt.
        max_overlap: Most overlap; 1 keeps duplicates.
        max_against: Most that negatives may explain an instance; 1 lets all of them count.
        exclusive: Whether an object belongs to one prompt alone.
    """

    threshold: float | None = None
    max_overlap: float | None = None
    max_against: float | None = None
    exclusive: bool | None = None

    def made_to(self, reading: Reading) -> Reading:
        """A batch's reading with these changes.

        Raises:
            SpecError: A value is refused.
        """
        given = {name: value for name, value in asdict(self).items() if value is not None}
        data = reading.dump() | given
        if self.threshold is not None:
            for one in data["prompts"].values():
                one.pop("threshold", None)
        return Reading.read(data)


NO_CHANGES = ReadingChanges()


def reading_of(spec: dict[str, Any], stored: dict[str, Any] | None) -> Reading:
    """How a batch is read: as it was changed last, else as its spec says.

    Args:
        spec: ``BatchSpec.dump()``.
        stored: ``Reading.dump()``, or None where nothing beside the spec was ever said.

    Raises:
        SpecError: What is stored is not readable by this version.
    """
    return Reading.read(spec.get("settings", {}) if stored is None else stored)
