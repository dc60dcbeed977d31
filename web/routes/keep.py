"""Keep what a model said about one image beyond the day."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.keep import keep
from producer.predict import Prediction
from web.access import Pooled, needs
from web.idempotency import Answer, Idempotent
from web.router import Router
from web.shapes import Asked, Shown

router = Router(prefix="/api/v1/predictions", tags=["predict"])

_ID = "01a1fcdc-b907-771a-84fd-d7ac484311e2"


class KeepAsked(Asked):
    """Under which name a prediction is kept."""

    name: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] = Field(
        default="",
        description="Of the batch that takes it over; made of the question, if empty. There is one "
        "batch for each name and question.",
        examples=["good ones"],
    )


class Kept(Shown):
    """Where a prediction is kept."""

    batch: UUID = Field(examples=[_ID])
    image: int = Field(description="Its place in the batch.", examples=[0])
    link: str = Field(examples=[f"/api/v1/batches/{_ID}/images/0"])


@router.post(
    "/{prediction_id}/keep",
    status_code=201,
    response_model=Kept,
    responses={200: {"model": Kept, "description": "It was kept there before."}},
)
def keep_prediction(
    *,
    prediction_id: str,
    asked: KeepAsked,
    request: Request,
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.SUBMIT)],
    once: Idempotent,
) -> JSONResponse:
    """Copy a prediction that has ended into a batch of one's own, where it outlives its day."""
    prediction = Prediction.read(prediction_id)

    def work(_: object) -> Answer:
        made = keep(pool, caller, prediction, asked.name)
        root = request.scope.get("root_path", "")
        link = f"{root}/api/v1/batches/{made.batch_id}/images/{made.seq}"
        content = Kept(batch=made.batch_id, image=made.seq, link=link)
        return Answer(201 if made.new else 200, content)

    return once.run(pool, caller, work)
