"""The models that may be asked, and how what they find is usually read."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import Field

from maskpool.reading import Reading
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web.access import Pooled, needs
from web.router import Router
from web.shapes import Shown

router = Router(prefix="/api/v1/models", tags=["pool"])

_READING: dict[str, Any] = Reading(max_overlap=0.5).dump()


class Model(Shown):
    """A pair of SAM3 and CLIP."""

    name: str = Field(description="Alias, by which it is asked.", examples=["demo"])
    default: bool = Field(description="Whether it is asked where none is named.", examples=[True])
    workers: int = Field(description="Living workers that serve it.", examples=[2])
    reading: dict[str, Any] = Field(
        description="What counts of its masks where nobody says otherwise.", examples=[_READING]
    )


@router.get("")
def list_models(pool: Pooled, _: Annotated[Caller, needs(Right.READ)]) -> list[Model]:
    """List the models by name, each with its usual reading settings."""
    settings = pool.settings
    serving = Counter(one.model for one in pool.living_workers())
    return [
        Model(
            name=name,
            default=name == settings.model,
            workers=serving[name],
            reading=Reading(max_overlap=settings.alias(name).max_overlap).dump(),
        )
        for name in settings.aliases
    ]
