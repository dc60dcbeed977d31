"""How a batch is read: what counts, as it is now and as it was; and what was found under it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Header, Query, Response
from pydantic import Field

from maskpool.failure_kinds import FailureKind
from maskpool.reading import Reading
from producer import batches, readings, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.readings import BatchReading
from web import cursors, etags
from web.access import Pooled, needs
from web.router import Router
from web.shapes import Shown, moment

router = Router(prefix="/api/v1/batches/{batch_id}", tags=["reading"])

_EXAMPLE = {"threshold": 0.6, "exclusive": True, "prompts": {"bus": {"min_area": 400}}}


class ShownReading(Shown):
    """How a batch is read; the header `ETag` stands for exactly this."""

    version: int = Field(description="0: it was never changed here.", examples=[2])
    reading: dict[str, Any] = Field(examples=[_EXAMPLE])


class Change(Shown):
    """One version of it."""

    version: int = Field(examples=[1])
    reading: dict[str, Any] = Field(examples=[_EXAMPLE])
    user: str | None = Field(description="Who said so.", examples=["ann"])
    at: datetime = Field(examples=[datetime.fromisoformat("2026-11-28T14:00:00Z")])


class Counts(Shown):
    """How many instances count so far."""

    instances: dict[str, int] = Field(description="By prompt.", examples=[{"bus": 1_204}])


class Failed(Shown):
    """An image without a result."""

    seq: int = Field(examples=[7])
    name: str = Field(examples=["street/7.jpg"])
    kind: FailureKind = Field(description="Of its reason.", examples=[FailureKind.NO_IMAGE])
    error: str = Field(examples=["it is no image that is read"])


class FailedAlike(Shown):
    """Images that failed for one kind of reason."""

    kind: FailureKind = Field(examples=[FailureKind.CUT_OFF])
    images: int = Field(examples=[29])
    example: str = Field(
        description="The sentence that most of them have.",
        examples=["the file is cut off: its end is missing; copy it again"],
    )


class Failures(Shown):
    """Images without a result, and why."""

    failures: list[Failed]
    reasons: dict[str, int] = Field(
        description="How often each reason is on this page.",
        examples=[{"it is no image that is read": 1}],
    )
    next: str | None = Field(
        description="Hand it back as `after`; null at the end.", examples=[None]
    )


@router.get("/reading", responses={304: {"description": "Nothing changed."}})
def get_reading(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> ShownReading:
    """Say what counts when a batch is read."""
    visible.find_batch(pool, caller, batch_id)
    now = readings.current(pool, batch_id)
    known = etags.unless_known(if_none_match, now.etag, response)
    return _shown(now) if known is None else known  # type: ignore[return-value]  # sent as it is


@router.put("/reading", responses={412: {"description": "It is not what If-Match names."}})
def put_reading(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.CHANGE)],
    batch_id: UUID,
    asked: Annotated[Reading, Body(examples=[_EXAMPLE])],
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> ShownReading:
    """Read a batch in another way from now on; no image is looked at again."""
    visible.find_batch(pool, caller, batch_id, Right.CHANGE)
    try:
        now = readings.change(
            pool, batch_id, asked, user_id=caller.user_id, fits=etags.fits(if_match)
        )
    except readings.Stale as error:
        raise etags.stale(str(error)) from None
    response.headers["etag"] = now.etag
    return _shown(now)


@router.get("/reading/history")
def get_history(
    pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], batch_id: UUID
) -> list[Change]:
    """Say how a batch was read, the latest version first."""
    visible.find_batch(pool, caller, batch_id)
    return [
        Change(version=one.version, reading=one.reading, user=one.user, at=moment(one.at))
        for one in readings.history(pool, batch_id)
    ]


@router.get("/counts")
def get_counts(
    pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], batch_id: UUID
) -> Counts:
    """Count the instances of each prompt that count so far."""
    visible.find_batch(pool, caller, batch_id)
    return Counts(instances=batches.count_instances(pool, batch_id))


@router.get("/failures/kinds")
def get_failure_kinds(
    pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], batch_id: UUID
) -> list[FailedAlike]:
    """Count the images that failed by the kind of their reason, most first."""
    visible.find_batch(pool, caller, batch_id)
    return [
        FailedAlike(kind=one.kind, images=one.images, example=one.example)
        for one in batches.failure_kinds(pool, batch_id)
    ]


@router.get("/failures")
def get_failures(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    after: Annotated[str | None, Query(max_length=500, description="`next` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Failures:
    """List the images that failed, and why."""
    visible.find_batch(pool, caller, batch_id)
    [last] = [-1] if after is None else cursors.read(after, cursors.row_number)
    found = batches.failures(pool, batch_id, after=last, limit=limit + 1)
    failed = [
        Failed(seq=one.seq, name=one.name, kind=one.kind, error=one.error) for one in found[:limit]
    ]
    return Failures(
        failures=failed,
        reasons=dict(Counter(one.error for one in failed).most_common()),
        next=cursors.written(failed[-1].seq) if len(found) > limit else None,
    )


def _shown(now: BatchReading) -> ShownReading:
    return ShownReading(version=now.version, reading=now.reading.dump())
