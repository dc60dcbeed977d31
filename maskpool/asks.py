"""What one image is asked beside its batch's prompts: objects, each meant by a box or by points.

    {"objects": [{"class": "cat", "box": [x0, y0, x1, y1], "score": 0.9},
                 {"class": "dog", "points": [[x, y, 1], [x, y, 0]]}],
     "unit": "pixel", "size": [width, height]}

Each object becomes one mask, in this order. The text of a class is asked of no model.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from maskpool.errors import SpecError
from maskpool.spec_prompt import category_name
from maskpool.strict import Strict
from maskpool.text import is_storable

#: Objects that one image may be asked for.
MAX_OBJECTS = 1_000

#: Points of one object: the prompt encoder of SAM was trained with far fewer.
MAX_POINTS = 32

#: Bytes of one image's asks as JSON: they lie in its job's row.
MAX_BYTES = 64_000


#: A finite number; JSON has no others, but YAML and Python do.
Number = Annotated[float, Field(allow_inf_nan=False)]


def _of_three(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) != 3:
        msg = f"{list(value)!r:.80} must be [x, y, label], with label 1 on the object, 0 beside it"
        raise ValueError(msg)
    return value


#: x, y and label: 1 lies on the object, 0 does not.
Point = Annotated[tuple[Number, Number, Literal[0, 1]], BeforeValidator(_of_three)]


class ObjectPrompt(Strict):
    """One object of an image.

    Attributes:
        class_name: Its category (``class`` in JSON).
        box_xyxy: Around it, right and bottom exclusive (``box`` in JSON); in the asks' unit.
        points: On it (label 1) and beside it (label 0); in the asks' unit.
        score: Of whoever drew the box, in [0, 1]; 1 where nobody said.
    """

    class_name: str = Field(alias="class")
    box_xyxy: tuple[Number, Number, Number, Number] | None = Field(default=None, alias="box")
    points: Annotated[tuple[Point, ...], Field(max_length=MAX_POINTS)] = ()
    score: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0

    @field_validator("class_name")
    @classmethod
    def _class_name(cls, value: str) -> str:
        value = category_name(value)
        if not value:
            msg = "is empty; write the object's category"
            raise ValueError(msg)
        if not is_storable(value):
            msg = "is not text in Unicode"
            raise ValueError(msg)
        return value

    @field_validator("box_xyxy")
    @classmethod
    def _box(
        cls, value: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if value is not None and not (value[0] < value[2] and value[1] < value[3]):
            msg = f"{list(value)} is empty; it is [left, top, right, bottom], left before right"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.box_xyxy is None and not any(label for *_, label in self.points):
            msg = "has neither a box nor a point with label 1; one of both says which object"
            raise ValueError(msg)
        return self


class ImageAsks(Strict):
    """What one image is asked.

    Attributes:
        objects: Those that are to become masks, in the order of the source.
        unit: ``pixel``, or ``fraction`` of width and height.
        size: ``(width, height)`` in pixels of the upright image that was meant, where the source
            says it; an image of another size is refused.
    """

    objects: Annotated[tuple[ObjectPrompt, ...], Field(max_length=MAX_OBJECTS)] = ()
    unit: Literal["pixel", "fraction"] = "pixel"
    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None

    @classmethod
    def read(cls, data: object) -> Self:
        """See ``Strict.read``; also refuses more than a job's row may hold."""
        asks = super().read(data)
        size = len(asks.json_text.encode())
        if size > MAX_BYTES:
            raise SpecError(
                "objects", f"take {size:,} bytes as JSON, and one image may have {MAX_BYTES:,}"
            )
        return asks

    def dump(self) -> dict[str, Any]:
        """The JSON form, as stored on the job; what is as usual is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def json_text(self) -> str:
        """``dump`` as text; the same asks give the same text."""
        return orjson.dumps(self.dump()).decode()
