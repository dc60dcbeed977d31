"""What was found in a batch by score: what a slider over thresholds reads."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Header, Response
from pydantic import Field

from maskpool.histogram import BARS
from producer import counting, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.counting import Exact
from web import etags
from web.access import Pooled, needs
from web.router import Router
from web.shapes import Shown

router = Router(prefix="/api/v1/batches/{batch_id}", tags=["reading"])

_BARS = [0] * 90 + [1] + [0] * (BARS - 91)


class PromptBars(Shown):
    """One prompt's part of a histogram."""

    name: str = Field(examples=["bus"])
    images: list[int] = Field(
        description="By the score of an image's best instance, in hundredths from 0 to 100.",
        examples=[_BARS],
    )
    instances: list[int] = Field(description="By their score, likewise.", examples=[_BARS])


class Together(Shown):
    """All prompts together."""

    images: list[int] = Field(
        description="By the score of an image's best instance of any prompt.", examples=[_BARS]
    )
    instances: list[int] = Field(examples=[_BARS])


class Histogram(Shown):
    """How many images and instances have each score.

    What counts at a threshold of h hundredths is the sum of the entries from h on. Thresholds are
    left out; everything else of how the batch is read holds. The masks of objects count at any
    threshold, so they are in the last entry.
    """

    ready: bool = Field(description="False: there is none yet.", examples=[True])
    not_yet: str | None = Field(description="Why there is none.", examples=[None])
    exact: Exact = Field(
        description="Sums are exact: `always`, prompt by prompt; `one_threshold`: while all "
        "prompts have the same; `about`: never, the batch is just being counted anew.",
        examples=["always"],
    )
    images: int = Field(description="That are done, and so were counted.", examples=[1])
    prompts: list[PromptBars]
    together: Together = Field(description="Exact while all prompts have the same threshold.")


@router.get("/histogram", responses={304: {"description": "Nothing changed."}})
def get_histogram(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Histogram:
    """Count images and instances by score, for a slider over thresholds."""
    visible.find_batch(pool, caller, batch_id)
    shown = _shown(counting.read(pool, batch_id))
    etag = etags.etag_of(shown.model_dump())
    known = etags.unless_known(if_none_match, etag, response)
    return shown if known is None else known  # type: ignore[return-value]  # sent as it is


def _shown(found: counting.Histogram) -> Histogram:
    return Histogram(
        ready=not found.not_yet,
        not_yet=found.not_yet or None,
        exact=found.exact,
        images=found.images,
        prompts=[
            PromptBars(name=one.name, images=one.bars.images, instances=one.bars.instances)
            for one in found.prompts
        ],
        together=Together(images=found.together.images, instances=found.together.instances),
    )
