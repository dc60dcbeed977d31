"""Ask a model about one image, and wait for the answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

import anyio
from anyio import to_thread
from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, model_validator

from maskpool.asks import ImageAsks
from maskpool.failure_kinds import kind_of
from maskpool.spec_prompt import Prompt
from maskpool.tiling.asked import Tiles
from producer import predict
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.images import OneImage
from producer.pool import Pool
from producer.predict import FromBatch, FromUpload, Prediction, Question
from web.access import Pooled, needs
from web.drawing import Drawing, Drawn
from web.outlines import finer
from web.problems import Problem
from web.router import Router
from web.routes.image_shapes import OneImageShown, shown
from web.shapes import Asked, Shown
from web.waiting import Waiting

router = Router(prefix="/api/v1", tags=["predict"])

Asker = Annotated[Caller, needs(Right.PREDICT)]
Wait = Annotated[float, Query(ge=0.0, le=30.0, description="Seconds to wait for the answer.")]

#: What an integer of a row can hold.
_MAX_SEQ = 2**31 - 1

_PATH = "/api/v1/predictions/"


class PredictAsked(Asked):
    """One image that is in the pool, and what is asked of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "upload": "01a22000-0000-7000-8000-000000000001",
                "file": "street/1.jpg",
                "prompts": [{"text": "bus", "not": ["school bus"]}],
                "objects": [{"class": "car", "box": [10, 20, 110, 70]}],
            }
        }
    )

    upload: Annotated[UUID | None, Field(strict=False)] = None
    file: str = Field(default="", max_length=1_024, description="Of the upload.")
    batch: Annotated[UUID | None, Field(strict=False)] = None
    image: int | None = Field(default=None, ge=0, le=_MAX_SEQ, description="Of the batch.")
    model: str = Field(default="", max_length=64, description="Alias; empty: the pool's own.")
    prompts: list[Prompt] = Field(
        default_factory=list, max_length=256, description="Texts to look for."
    )
    objects: list[dict[str, Any]] = Field(
        default_factory=list,
        max_length=1_000,
        description="Objects that become one mask each: class, and box or points.",
    )
    unit: Literal["pixel", "fraction"] = "pixel"
    tiles: Tiles = Field(
        default="off",
        description="Whether the image, where it is large, is looked at in tiles, too.",
        examples=["auto"],
    )

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        of_upload = self.upload is not None and self.file != ""
        of_batch = self.batch is not None and self.image is not None
        if of_upload == of_batch or (self.upload is not None) == (self.batch is not None):
            msg = "name one image: upload and file, or batch and image"
            raise ValueError(msg)
        return self

    def where(self) -> FromUpload | FromBatch:
        """The image."""
        if self.upload is not None:
            return FromUpload(self.upload, self.file)
        assert self.batch is not None  # noqa: S101 - one of both, as was checked
        return FromBatch(self.batch, self.image or 0)

    def question(self) -> Question:
        """What is asked of it."""
        asks = ImageAsks.read({"objects": self.objects, "unit": self.unit})
        return Question(self.prompts, asks, self.model, tiles=self.tiles)


class PredictionShown(Shown):
    """An answer, or where it will be."""

    id: str = Field(examples=["01a22000-0000-7000-8000-000000000002.7"])
    state: Literal["waiting", "ended"] = Field(examples=["ended"])
    link: str = Field(examples=["/api/v1/predictions/01a22000-0000-7000-8000-000000000002.7"])
    result: OneImageShown | None = Field(description="Null while it is looked at.")


_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": PredictionShown, "description": "It is looked at; ask its link again."}
}


@router.post("/predict", responses=_ANSWERS)
async def ask(
    *,
    asked: PredictAsked,
    request: Request,
    response: Response,
    pool: Pooled,
    caller: Asker,
    drawn: Drawn,
    wait: Wait = 10.0,
) -> PredictionShown:
    """Ask about one image, before all bulk; 202 with a link where the answer takes longer."""
    made = await to_thread.run_sync(
        lambda: predict.ask(pool, caller, asked.where(), asked.question())
    )
    return await _answered(request, response, pool, (caller, made), wait, drawn, is_new=True)


@router.get("/predictions/{prediction_id}", responses=_ANSWERS)
async def get_prediction(
    *,
    prediction_id: str,
    request: Request,
    response: Response,
    pool: Pooled,
    caller: Asker,
    drawn: Drawn,
    wait: Wait = 0.0,
) -> PredictionShown:
    """Show what was found, or wait for it; it stays for a day."""
    made = Prediction.read(prediction_id)
    return await _answered(request, response, pool, (caller, made), wait, drawn, is_new=False)


async def _answered(
    request: Request,
    response: Response,
    pool: Pool,
    whose: tuple[Caller, Prediction],
    wait: float,
    drawn: Drawing,
    *,
    is_new: bool,
) -> PredictionShown:
    caller, made = whose

    def answer() -> OneImage | None:
        told = predict.answer(pool, caller, made, everything=drawn.everything)
        return None if told is None else drawn.chosen(told)

    # What was asked a moment ago has not ended yet; to look for it would only keep it up.
    found = None if is_new and wait else await to_thread.run_sync(answer)
    waiting: Waiting = request.app.state.waiting
    until = anyio.current_time() + wait
    while found is None and (left := until - anyio.current_time()) > 0:
        if await waiting.word(made.batch_id, made.seq, left):
            found = await to_thread.run_sync(answer)
    link = f"{request.scope.get('root_path', '')}{_PATH}{made}"
    if found is None:
        response.status_code = 202
        response.headers["Location"] = link
        return PredictionShown(id=str(made), state="waiting", link=link, result=None)
    _require_sound(found)
    found = await finer(request, pool, found, drawn.refine)
    result = await to_thread.run_sync(shown, found, drawn)
    return PredictionShown(id=str(made), state="ended", link=link, result=result)


def _require_sound(found: OneImage) -> None:
    """An image that could not be looked at is a problem with its sentence."""
    if found.job.error:
        kind = kind_of(found.job.error)
        raise Problem(422, "predict.failed", found.job.error, kind=str(kind))
