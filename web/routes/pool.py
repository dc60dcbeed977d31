"""The pool: who works, and what waits."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import why_idle
from producer.queue import waiting
from web.access import Pooled, needs
from web.router import Router
from web.shapes import Shown

router = Router(prefix="/api/v1/pool", tags=["pool"])


class Worker(Shown):
    """A worker that lives."""

    id: UUID = Field(examples=["01a1fcdc-b907-771a-84fd-d7ac484311e2"])
    name: str = Field(examples=["gpu-1:4711"])
    model: str = Field(examples=["demo"])
    device: str = Field(examples=["cuda:0"])
    images_per_s: float | None = Field(examples=[41.5])


class Waiting(Shown):
    """Images of one owner that wait, or are in hand."""

    owner: str = Field(examples=["ann"])
    klass: Literal["now", "bulk"] = Field(alias="class", examples=["bulk"])
    batches: int = Field(examples=[2])
    images: int = Field(examples=[1_200])


class PoolState(Shown):
    """How the pool is."""

    workers: list[Worker]
    queue: list[Waiting]
    idle: list[str] = Field(description="Why nothing would happen.", examples=[[]])
    flower: str | None = Field(
        description="Where Flower is, if a setting says it.",
        examples=["https://masks.example.org/flower"],
    )


@router.get("")
def get_pool(pool: Pooled, _: Annotated[Caller, needs(Right.POOL)]) -> PoolState:
    """Say who works, and what waits by owner and class."""
    workers = [
        Worker(
            id=one.id,
            name=one.name,
            model=one.model,
            device=one.device,
            images_per_s=one.images_per_s,
        )
        for one in pool.living_workers()
    ]
    queue = [
        Waiting.model_validate(
            {
                "owner": one.owner,
                "class": one.klass.label,
                "batches": one.batches,
                "images": one.images,
            }
        )
        for one in waiting(pool)
    ]
    flower = pool.settings.flower_url or None
    return PoolState(workers=workers, queue=queue, idle=why_idle(pool), flower=flower)
