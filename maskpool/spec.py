"""The versioned batch spec: what a batch asks for. Every refusal names its field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from maskpool.domain import DEFAULT_THRESHOLD, ReadingRule
from maskpool.errors import SpecError

#: Text encoder context of SAM3 (``processing_sam3.py`` pads to 32), begin and end token included.
TEXT_CONTEXT = 32

#: More prompts than this in one batch is almost surely a mistake, and one image must fit a GPU.
MAX_PROMPTS = 256

#: Splits text as CLIP's tokenizer does before byte pairs are merged; every piece is at least one
#: token, so the count is a lower bound that holds for each tokenizer in use.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+|_+", re.IGNORECASE)


def least_tokens(text: str) -> int:
    """A lower bound of the tokens of ``text``, begin and end token included."""
    return len(_PIECES.findall(text)) + 2


def _checked_text(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        msg = "is empty; write what to look for, e.g. 'yellow school bus'"
        raise ValueError(msg)
    if least_tokens(text) > TEXT_CONTEXT:
        msg = (
            f"has at least {least_tokens(text)} tokens, but the text encoder reads {TEXT_CONTEXT} "
            "(begin and end included) and nothing is cut off silently; shorten it"
        )
        raise ValueError(msg)
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Prompt(_Strict):
    """One thing to look for.

    Attributes:
        text: What the segmenter is asked for.
        name: Display name; the category in exports. The text where none is given.
        negatives: Texts that CLIP weighs against ``text`` on each crop (``not`` in JSON).
    """

    # The text first: where both are refused, it is what the user wrote.
    text: str
    name: str = ""
    negatives: tuple[str, ...] = Field(default=(), alias="not")

    @field_validator("text")
    @classmethod
    def _text(cls, value: str) -> str:
        return _checked_text(value)

    @field_validator("negatives")
    @classmethod
    def _negatives(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked_text(text) for text in value)

    @model_validator(mode="before")
    @classmethod
    def _name_from_text(cls, data: Any) -> Any:  # noqa: ANN401 - pydantic hands over anything
        if isinstance(data, dict) and not str(data.get("name") or "").strip():
            return {**data, "name": " ".join(str(data.get("text", "")).split())}
        return data

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        value = " ".join(value.split())
        if len(value) > 200:
            msg = f"has {len(value)} characters; a category name may have 200"
            raise ValueError(msg)
        return value


class ReadingSettings(_Strict):
    """What counts when the results are read; changing it later costs no GPU.

    Attributes:
        threshold: Least score, in [0, 1].
        max_overlap: Most mask IoU with a better instance of the same prompt, in [0, 1]; None keeps
            duplicates, as SAM3 was published.
    """

    threshold: Annotated[float, Field(ge=0.0, le=1.0)] = DEFAULT_THRESHOLD
    max_overlap: Annotated[float, Field(ge=0.0, le=1.0)] | None = None

    def rule(self) -> ReadingRule:
        """The same as the domain's rule."""
        return ReadingRule(threshold=self.threshold, max_overlap=self.max_overlap)


class BatchSpec(_Strict):
    """Everything a worker must know of a batch beside its images.

    Attributes:
        version: Version of this layout.
        model: Alias of the SAM3 + CLIP pair.
        prompts: At least one; names are unique.
        settings: How results are read by default.
    """

    version: Literal[1] = 1
    model: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    prompts: Annotated[tuple[Prompt, ...], Field(max_length=MAX_PROMPTS)]
    settings: ReadingSettings = ReadingSettings()

    @field_validator("prompts")
    @classmethod
    def _some_and_unique(cls, value: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
        if not value:
            msg = "a batch needs at least one prompt, e.g. -p 'yellow school bus'"
            raise ValueError(msg)
        names = [prompt.name for prompt in value]
        for name in names:
            if names.count(name) > 1:
                msg = f"two prompts are named {name!r}; name one apart, e.g. 'other={name}'"
                raise ValueError(msg)
        return value

    @classmethod
    def read(cls, data: object) -> BatchSpec:
        """Check untrusted data.

        Raises:
            SpecError: Names the first field that is refused.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise spec_error(error) from None

    @classmethod
    def of(
        cls, model: str, prompts: Sequence[Prompt], settings: ReadingSettings | None = None
    ) -> BatchSpec:
        """Put a spec together from parts that were checked one by one.

        Raises:
            SpecError: Together they are refused; names the field.
        """
        try:
            return cls(model=model, prompts=tuple(prompts), settings=settings or ReadingSettings())
        except ValidationError as error:
            raise spec_error(error) from None

    def dump(self) -> dict[str, Any]:
        """The JSON form, as stored on the batch."""
        return self.model_dump(mode="json", by_alias=True)


def spec_error(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> SpecError:
    """The first refusal of pydantic's as a sentence of ours; ``prefix`` is where it looked."""
    first = error.errors(include_url=False, include_context=False)[0]
    path = ""
    for part in (*prefix, *first["loc"]):
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    reason = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] != "value_error":
        reason = f"{reason[:1].lower()}{reason[1:]} (given: {str(first['input'])[:80]!r})"
    return SpecError(path or "spec", reason)
