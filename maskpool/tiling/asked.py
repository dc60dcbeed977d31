"""What a batch says of tiles: off, auto, or tiles of a side and an overlap."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError

from maskpool.errors import SpecError
from maskpool.strict import Strict, spec_error

#: Least and largest side of a tile, pixels.
MIN_SIDE, MAX_SIDE = 64, 8_192

#: Share of a tile's side that lies in its neighbour, too, where nothing else is said.
DEFAULT_OVERLAP = 0.25

#: With more, a spot would lie in more than four tiles, and be paid for each time.
MAX_OVERLAP = 0.5

_TEXT = re.compile(r"(?P<size>\d{1,6})(?:[/:](?P<overlap>0?\.\d{1,6}|0))?")


class Tiling(Strict):
    """Tiles of which every larger image is cut.

    Attributes:
        size: Side of a tile, pixels; None: that of the model's alias.
        overlap: Share of the side that neighbours have in common, at least.
    """

    size: Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)] | None = None
    overlap: Annotated[float, Field(ge=0.0, le=MAX_OVERLAP, allow_inf_nan=False)] = DEFAULT_OVERLAP


def _not_a_flag(value: object) -> object:
    # YAML reads a bare off as false, and people write what they mean.
    if value is None or value is False:
        return "off"
    if value is True:
        msg = "is on or off by nothing but words; write auto, or {size: 1008, overlap: 0.25}"
        raise ValueError(msg)
    if isinstance(value, dict):
        try:
            return Tiling.model_validate(value)
        except ValidationError as error:
            raise ValueError(str(spec_error(error))) from None
    if not isinstance(value, Tiling) and value not in ("off", "auto"):
        msg = f"{str(value)[:40]!r} is neither off nor auto; a side is written {{size: 1008}}"
        raise ValueError(msg)
    return value


#: As a spec says it.
Tiles: TypeAlias = Annotated[
    Literal["off", "auto"] | Tiling,
    BeforeValidator(_not_a_flag, json_schema_input_type=Literal["off", "auto"] | Tiling | None),
]


def parse(text: str) -> Literal["off", "auto"] | Tiling:
    """What people write in one word: off, auto, a side, or a side and an overlap as 1008/0.25.

    Raises:
        SpecError: It is none of these, or out of bounds.
    """
    if text == "off":
        return "off"
    if text == "auto":
        return "auto"
    said = _TEXT.fullmatch(text)
    if said is None:
        raise SpecError(
            "tiles", f"{text[:40]!r} is none of off, auto, a side as 1008, and 1008/0.25"
        )
    numbers = {"size": int(said["size"])}
    try:
        return Tiling.read(
            numbers if said["overlap"] is None else {**numbers, "overlap": float(said["overlap"])}
        )
    except SpecError as refused:
        raise SpecError(f"tiles: {refused.field}", refused.reason) from None
