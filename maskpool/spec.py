"""The versioned batch spec: what a batch asks for. Every refusal names its field.

Version 1 asks for texts. Version 2 adds ``kind``, negatives that the segmenter looks for as well,
classes of objects that images are asked for one by one, and keeps what counts on reading beside the
spec (``maskpool.reading``). Version 3 adds tiles. A spec is written in the lowest version that can
say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from maskpool.reading import Reading, ReadingSettings
from maskpool.spec_prompt import Kind, Prompt, Rows, rows_of, rows_of_texts
from maskpool.strict import Strict, Unfit, spec_error
from maskpool.tiling.asked import Tiles, Tiling

#: More prompts than this in one batch is almost surely a mistake, and one image must fit a GPU.
MAX_PROMPTS = 256

#: Classes of objects in one batch; LVIS has 1,203. With the prompts they are numbered in 15 bits.
MAX_CLASSES = 20_000

#: Versions of the shipped list, the pool's and the team's (``maskpool.glossary``), or nothing.
GLOSSARY_PATTERN = r"^(\d{1,9}(\.\d{1,9}){2})?$"

#: An alias of a model.
MODEL_PATTERN = r"[a-z0-9][a-z0-9_.-]*"


class BatchSpec(Strict):
    """Everything a worker must know of a batch beside its images.

    Attributes:
        version: Version of this layout.
        model: Alias of the SAM3 + CLIP pair.
        prompts: What to look for in every image; names are unique.
        settings: How results are read by default; only in version 1.
        classes: Of the objects that images are asked for; categories that follow the prompts.
        digest: SHA-256 of what each image is asked (``producer.objects``), so that a key stands for
            these objects alone; empty without any.
        verify: Whether CLIP weighs each instance's crop against the negatives of its prompt. In
            version 1 that is what negatives are for.
        glossary: Version of the glossary that texts were composed with; empty where none was.
        tiles: Whether large images are looked at in tiles, too.
    """

    version: Literal[1, 2, 3] = 1
    model: Annotated[str, Field(min_length=1, max_length=64, pattern=f"^{MODEL_PATTERN}$")]
    # Before the prompts, which may be none where there are classes.
    classes: Annotated[tuple[str, ...], Field(max_length=MAX_CLASSES)] = ()
    prompts: Annotated[tuple[Prompt, ...], Field(max_length=MAX_PROMPTS)]
    settings: ReadingSettings = ReadingSettings()
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    verify: bool = False
    glossary: Annotated[str, Field(pattern=GLOSSARY_PATTERN)] = ""
    tiles: Tiles = "off"

    @field_validator("classes", "digest", "verify", "glossary")
    @classmethod
    def _of_version_2(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("version") == 1:
            raise _of_version(2, "is known")
        return value

    @field_validator("prompts")
    @classmethod
    def _some_and_unique(
        cls, value: tuple[Prompt, ...], info: ValidationInfo
    ) -> tuple[Prompt, ...]:
        if not value and not info.data.get("classes"):
            reason = "a batch needs at least one prompt, e.g. -p 'yellow school bus'"
            raise Unfit(reason, code="spec.nothing")
        names = [prompt.name for prompt in value]
        for name in names:
            if names.count(name) > 1:
                reason = f"two prompts are named {name!r}; name one apart, e.g. 'other={name}'"
                raise Unfit(reason, code="prompt.named_twice", params={"name": name})
        version = info.data.get("version", 1)
        if version == 1 and any(prompt.kind is Kind.STUFF for prompt in value):
            raise _of_version(2, "ask for kind: stuff, which is known")
        if version != 1 and (count := len(rows_of(value).texts)) > MAX_PROMPTS:
            raise Unfit(
                f"and their negatives are {count} different texts, and one image may be asked for "
                f"{MAX_PROMPTS}; ask for fewer, or in two batches",
                code="prompt.many",
                params={"count": count, "limit": MAX_PROMPTS},
            )
        return value

    @field_validator("tiles")
    @classmethod
    def _of_version_3(cls, value: Tiles, info: ValidationInfo) -> Tiles:
        if value == "off":
            return value
        if info.data.get("version") in (1, 2):
            raise _of_version(3, "are known")
        if info.data.get("classes"):
            raise Unfit(
                "serve texts, and objects of boxes and points are drawn from the whole image; ask "
                "for them in a batch of their own, without tiles",
                code="spec.tiles_and_objects",
            )
        return value

    @field_validator("settings")
    @classmethod
    def _of_version_1(cls, value: ReadingSettings, info: ValidationInfo) -> ReadingSettings:
        if info.data.get("version") != 1:
            msg = "are of version 1; later, how a batch is read is kept beside its spec"
            raise ValueError(msg)
        return value

    @property
    def clip_weighs(self) -> bool:
        """Whether CLIP weighs crops against negatives."""
        return self.verify or self.version == 1

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Names by ``Found.prompt_index``: of the prompts, then of the objects' classes."""
        return (*(prompt.name for prompt in self.prompts), *self.classes)

    @cached_property
    def class_index(self) -> dict[str, int]:
        """``Found.prompt_index`` of each class of objects."""
        return {name: index for index, name in enumerate(self.classes, len(self.prompts))}

    @cached_property
    def rows(self) -> Rows:
        """What the segmenter is asked of each image for the prompts."""
        return rows_of_texts(self.prompts) if self.version == 1 else rows_of(self.prompts)

    @classmethod
    def of(
        cls,
        model: str,
        prompts: Sequence[Prompt],
        reading: Reading | None = None,
        *,
        classes: Sequence[str] = (),
        digest: str = "",
        verify: bool = False,
        glossary: str = "",
        tiles: Tiles = "off",
    ) -> BatchSpec:
        """Put a spec together, in the lowest version that can say it.

        Args:
            model: Alias of the models.
            prompts: What to look for in every image.
            reading: How it is to be read; version 1 carries it, version 2 leaves it beside.
            classes: Of the objects that images are asked for.
            digest: Of what each image is asked.
            verify: Whether CLIP weighs negatives as well.
            glossary: Version of the glossary that texts were composed with.
            tiles: Whether large images are looked at in tiles, too.

        Raises:
            SpecError: Together they are refused; names the field.
        """
        reading = reading or Reading()
        reading.require_prompts(frozenset(one.name for one in prompts))
        needs_2 = any(one.negatives or one.kind is Kind.STUFF for one in prompts)
        parts: dict[str, Any] = {"model": model, "prompts": tuple(prompts)}
        tiled = tiles != "off"
        if needs_2 or classes or verify or glossary or tiled or not reading.plain:
            parts |= {"classes": tuple(classes), "digest": digest, "verify": verify}
            parts |= {"version": 3 if tiled else 2, "glossary": glossary, "tiles": tiles}
        else:
            parts |= {"settings": reading.in_version_1()}
        try:
            return cls(**parts)
        except ValidationError as error:
            raise spec_error(error) from None

    def dump(self) -> dict[str, Any]:
        """The JSON form, as stored on the batch."""
        prompts = [prompt.dump() for prompt in self.prompts]
        head = {"version": self.version, "model": self.model, "prompts": prompts}
        if self.version == 1:
            return {**head, "settings": self.settings.model_dump(mode="json")}
        objects = {"classes": list(self.classes), "digest": self.digest} if self.classes else {}
        composed = {"glossary": self.glossary} if self.glossary else {}
        return {**head, **objects, "verify": self.verify, **composed, **self._tiles_json()}

    def _tiles_json(self) -> dict[str, Any]:
        if isinstance(self.tiles, Tiling):
            return {"tiles": self.tiles.model_dump(mode="json", exclude_none=True)}
        return {} if self.tiles == "off" else {"tiles": self.tiles}


#: What of a spec asks nothing of an image.
_NOT_ASKED = frozenset({"settings", "glossary"})


def _of_version(version: int, what: str) -> Unfit:
    return Unfit(
        f"{what} from version {version} on; write version: {version}",
        code="spec.version",
        params={"version": version},
    )


def question_of(spec: dict[str, Any]) -> dict[str, Any]:
    """What a stored spec asks of every image, however the answers are to be read.

    Version 1 and 2 of one question are equal, but for negatives, which CLIP answers in version 1.
    """
    negatives = any(prompt.get("not") for prompt in spec.get("prompts", ()))
    kept = {name: value for name, value in spec.items() if name not in _NOT_ASKED}
    if any("typed" in prompt for prompt in spec.get("prompts", ())):
        kept["prompts"] = [_without_typed(prompt) for prompt in spec["prompts"]]
    return {"verify": False, **kept, **({} if negatives else {"version": None})}


def _without_typed(prompt: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in prompt.items() if name != "typed"}


def same_question(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two stored specs ask the same of every image."""
    return question_of(one) == question_of(other)
