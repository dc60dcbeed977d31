"""A batch's question as people write it into one file, in JSON or YAML (``maskpool schema``).

    model: demo
    exclusive: true
    prompts:
      - yellow school bus                # as after -p
      - {name: cone, text: traffic cone, not: [barrel], threshold: 0.4, max_count: 20}
      - {text: sky, kind: stuff}

What workers must know becomes the batch's spec, what counts on reading is kept beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from maskpool.errors import SpecError
from maskpool.prompts import parse, read_prompts, refuse_alike
from maskpool.reading import PromptReading, Reading, Share
from maskpool.spec import MAX_PROMPTS, MODEL_PATTERN
from maskpool.spec_prompt import Prompt
from maskpool.strict import Strict, Unfit, spec_error
from maskpool.tiling.asked import Tiles

#: What of a prompt counts on reading alone.
_OF_READING = frozenset(PromptReading.model_fields)


class AskedPrompt(Prompt, PromptReading):
    """One prompt with all that can be said of it."""

    @property
    def prompt(self) -> Prompt:
        """What workers must know of it."""
        return Prompt.model_validate(self.model_dump(by_alias=True, exclude=set(_OF_READING)))

    @property
    def reading(self) -> PromptReading:
        """What counts of it on reading."""
        return PromptReading.model_validate(self.model_dump(include=set(_OF_READING)))


def _from_text(value: object) -> object:
    """A text is a prompt as after ``-p``."""
    if not isinstance(value, str):
        if value is None or isinstance(value, bool | int | float):
            reason = f"reads as {value!r} in YAML and not as a text; put it in quotes"
            raise Unfit(reason, code="prompt.no_text", params={"value": str(value)})
        return value
    try:
        return parse(value).model_dump(by_alias=True)
    except ValidationError as error:
        refused = spec_error(error)
        # Without a code, its parameters are of a field that the sentence alone names.
        raise Unfit(str(refused), refused.code, refused.params if refused.code else {}) from None


class Question(Strict):
    """What is asked of a batch's images, and how the answers are to be read.

    Attributes:
        version: Of this layout; may be left out.
        model: Alias of the models; the pool's own where it is left out.
        prompts: What to look for: texts as after ``-p``, or objects.
        threshold: Least score, in [0, 1]; a prompt may have its own.
        max_overlap: Most mask IoU with a better instance of the same prompt; the model's own where
            it is left out.
        max_against: Most that negatives may say for an instance.
        exclusive: Whether an object belongs to the prompt that scores highest, and to no other.
        verify: Whether CLIP weighs each instance's crop against the negatives as well.
        tiles: Whether large images are looked at in tiles, too.
    """

    version: Literal[2] = 2
    model: Annotated[str, Field(pattern=f"^({MODEL_PATTERN})?$")] = ""
    prompts: Annotated[
        tuple[
            Annotated[
                AskedPrompt, BeforeValidator(_from_text, json_schema_input_type=str | AskedPrompt)
            ],
            ...,
        ],
        Field(max_length=MAX_PROMPTS),
    ] = ()
    threshold: Share | None = None
    max_overlap: Share | None = None
    max_against: Share | None = None
    exclusive: bool = False
    verify: bool = False
    tiles: Tiles = "off"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in its two parts, from a file, from flags, or from both.

    Attributes:
        prompts: What to look for in every image.
        model: Alias of the models; empty: the pool's own.
        verify: Whether CLIP weighs negatives as well.
        reading: What was said of reading, by the fields of ``maskpool.reading.Reading``.
        glossary: Version of the glossary that texts were composed with; empty where none was.
        tiles: Whether large images are looked at in tiles, too.
    """

    prompts: tuple[Prompt, ...]
    model: str
    verify: bool
    reading: dict[str, Any]
    glossary: str = ""
    tiles: Tiles = "off"

    def reading_with(self, **usual: object) -> Reading:
        """How results are read: as it was said, else as ``usual``."""
        return Reading.read({**usual, **self.reading})


def read_question(path: Path) -> Question:
    """Read a file.

    Raises:
        SpecError: It cannot be read, or the first field that is refused, with its line where the
            file is no JSON or YAML at all.
    """
    from maskpool.yaml_file import read_yaml  # noqa: PLC0415 - most commands read no file

    try:
        return Question.read(read_yaml(path))
    except SpecError as refused:
        # The whole file has no field's name.
        field = str(path) if refused.field == "spec" else f"{path}: {refused.field}"
        raise SpecError(field, refused.reason) from None


def asked(
    question: Question | None,
    texts: Sequence[str] = (),
    *,
    model: str = "",
    threshold: float | None = None,
    exclusive: bool = False,
    verify: bool = False,
    tiles: Tiles | None = None,
) -> Asked:
    """Put flags and a file together: flags are added to the file's prompts, and win over its rest.

    Raises:
        SpecError: A prompt is refused.
    """
    question = question or Question()
    flags = {"threshold": threshold, "exclusive": exclusive or None}
    said = {name: getattr(question, name) for name in question.model_fields_set}
    reading = {name: value for name, value in said.items() if name in Reading.model_fields}
    reading |= {name: value for name, value in flags.items() if value is not None}
    reading["prompts"] = {
        one.name: one.reading.model_dump(exclude_none=True)
        for one in question.prompts
        if one.reading != PromptReading()
    }
    prompts = (*(one.prompt for one in question.prompts), *read_prompts(texts))
    refuse_alike(prompts)
    return Asked(
        prompts=prompts,
        model=model or question.model,
        verify=verify or question.verify,
        reading={name: value for name, value in reading.items() if value is not None},
        tiles=question.tiles if tiles is None else tiles,
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Question.model_json_schema(by_alias=True),
        "title": "maskpool spec",
    }
