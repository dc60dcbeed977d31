"""One prompt of a batch's spec, and the rows of texts that some of them are to a segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from maskpool.encoder_text import checked_text, require_text
from maskpool.strict import Strict, Unfit

#: Characters of a category's name.
_MAX_NAME = 200


def category_name(name: str) -> str:
    """A category's name with single blanks; may be empty.

    Raises:
        ValueError: It is too long, or no text.
    """
    name = " ".join(name.split())
    require_text(name)
    if len(name) > _MAX_NAME:
        msg = f"has {len(name)} characters; a category's name may have {_MAX_NAME}"
        raise Unfit(msg, code="prompt.name", params={"limit": _MAX_NAME})
    return name


class Kind(StrEnum):
    """How the masks of a prompt are cut."""

    #: One mask for each object.
    THING = "thing"
    #: One mask for all of it, as of sky or grass.
    STUFF = "stuff"


class Prompt(Strict):
    """One thing to look for.

    Attributes:
        text: What the segmenter is asked for.
        name: Display name; the category in exports. The text where none is given.
        negatives: Texts of what it must not be taken for (``not`` in JSON).
        kind: Whether each object is a mask, or all of it together.
        typed: Each negative as somebody typed it, where a glossary made other texts of them.
    """

    # The text first: where both are refused, it is what the user wrote.
    text: str
    name: str = ""
    negatives: tuple[str, ...] = Field(default=(), alias="not")
    kind: Kind = Kind.THING
    typed: tuple[str, ...] = ()

    @field_validator("text")
    @classmethod
    def _text(cls, value: str) -> str:
        return checked_text(value)

    @field_validator("negatives")
    @classmethod
    def _negatives(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_text(text) for text in value)

    @model_validator(mode="before")
    @classmethod
    def _name_from_text(cls, data: Any) -> Any:  # noqa: ANN401 - pydantic hands over anything
        if isinstance(data, dict) and not str(data.get("name") or "").strip():
            return {**data, "name": " ".join(str(data.get("text", "")).split())}
        return data

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return category_name(value)

    @field_validator("typed")
    @classmethod
    def _typed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(category_name(text) for text in value)

    @model_validator(mode="after")
    def _one_for_each_negative(self) -> Self:
        if self.typed and len(self.typed) != len(self.negatives):
            count = len(self.negatives)
            msg = f"typed has {len(self.typed)} texts, and not has {count}; give one for each"
            raise ValueError(msg)
        return self

    def as_typed(self, negative: str) -> str:
        """A negative as somebody typed it."""
        return dict(zip(self.negatives, self.typed, strict=False)).get(negative, negative)

    def dump(self) -> dict[str, Any]:
        """The JSON form; without what is as usual and was not known in version 1."""
        usual = {"kind"} if self.kind is Kind.THING else set()
        usual |= set() if self.typed else {"typed"}
        return self.model_dump(mode="json", by_alias=True, exclude=usual)


@dataclass(frozen=True, slots=True)
class Rows:
    """What the segmenter is asked of each image for a batch's prompts, each text once.

    Attributes:
        texts: The prompts' own texts in their order, then the negatives that none of them is.
        negatives: For each prompt, the places of its negatives in ``texts``.
        stuff: Places of the prompts whose mask is one region.
    """

    texts: tuple[str, ...]
    negatives: tuple[tuple[int, ...], ...]
    stuff: frozenset[int]


def rows_of(prompts: Sequence[Prompt]) -> Rows:
    """Lay out the rows of some prompts, with their negatives."""
    texts = list(dict.fromkeys(text for prompt in prompts for text in prompt.negatives))
    own = [prompt.text for prompt in prompts]
    texts = [*own, *(text for text in texts if text not in own)]
    # Two prompts may have one text: the first one's row is looked at.
    row = {text: index for index, text in reversed(list(enumerate(texts)))}
    return Rows(
        texts=tuple(texts),
        negatives=tuple(tuple(row[text] for text in prompt.negatives) for prompt in prompts),
        stuff=frozenset(i for i, prompt in enumerate(prompts) if prompt.kind is Kind.STUFF),
    )


def rows_of_texts(prompts: Sequence[Prompt]) -> Rows:
    """The rows of prompts whose negatives only CLIP is asked about, as in version 1."""
    return Rows(tuple(prompt.text for prompt in prompts), ((),) * len(prompts), frozenset())
