"""Batches: listed, looked at, paused, resumed, cancelled, retried, renamed, deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Query, Request, Response
from pydantic import Field

from db.seen import Filter, ListOrder, Place, SeenBatch, WholeBatch
from maskpool.domain import BatchState, Priority, Progress
from maskpool.reading import reading_of
from producer import batches, trash, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool
from web import cursors, etags
from web.access import Pooled, needs
from web.problems import Problem
from web.router import Router
from web.shapes import Asked, Shown, moment, moment_or_none
from web.speeds import Speeds
from web.watcher import Watched, Written

router = Router(prefix="/api/v1/batches", tags=["batches"])

_ID = "01a1fcdc-b907-771a-84fd-d7ac484311e2"
_TIME = datetime.fromisoformat("2026-11-28T14:00:00Z")

State = Literal["loading", "active", "paused", "done", "cancelled"]

#: Characters of a name.
_MAX_NAME = 500


class BatchPace(Shown):
    """How fast a batch goes; null where that is not known yet."""

    images_per_s: float | None = Field(examples=[41.5])
    seconds_left: float | None = Field(examples=[12.0])


class DrawnSample(Shown):
    """Of which images of its source a batch is."""

    images: int = Field(description="At most so many were drawn.", examples=[200])
    seed: int = Field(description="By which they were drawn.", examples=[0])
    of: int = Field(description="Images of the source then.", examples=[12_000])


class Batch(Shown):
    """How far a batch is."""

    id: UUID = Field(examples=[_ID])
    name: str = Field(examples=["street scenes"])
    owner: str = Field(examples=["ann"])
    team: UUID | None = Field(description="Whose members see it.", examples=[None])
    state: State = Field(examples=["active"])
    klass: Literal["now", "bulk"] = Field(alias="class", examples=["bulk"])
    priority: Priority = Field(examples=[Priority.NORMAL])
    model: str = Field(examples=["demo"])
    source: str = Field(examples=["2 images"])
    sample: DrawnSample | None = Field(
        description="Null: of all images of its source.", examples=[None]
    )
    total: int = Field(examples=[1_000])
    loaded: int = Field(examples=[1_000])
    done: int = Field(examples=[510])
    failed: int = Field(examples=[2])
    gpu_seconds: float = Field(examples=[12.25])
    created_at: datetime = Field(examples=[_TIME])
    finished_at: datetime | None = Field(examples=[None])


class OneBatch(Batch):
    """A batch with what it asks for."""

    pace: BatchPace
    spec: dict[str, Any] = Field(
        examples=[{"version": 2, "model": "demo", "prompts": [{"text": "bus", "name": "bus"}]}]
    )
    reading: dict[str, Any] = Field(examples=[{"threshold": 0.5, "exclusive": False}])


class Batches(Shown):
    """One page of batches."""

    batches: list[Batch]
    next: str | None = Field(
        description="Hand it back as `after`; null at the end.", examples=[None]
    )


class NewName(Asked):
    """What a batch is to be called."""

    name: str = Field(min_length=1, max_length=_MAX_NAME, examples=["street scenes, second try"])


class Retried(Shown):
    """Images that are tried again."""

    images: int = Field(examples=[2])


class AskedTask(Shown):
    """Something that the clerk does; look at it under `/api/v1/tasks/{id}`."""

    task: UUID = Field(examples=[_ID])


def shown(batch: SeenBatch) -> dict[str, Any]:
    """The fields of ``Batch``."""
    now = batch.progress
    return {
        "id": now.batch_id,
        "name": now.name,
        "owner": now.owner,
        "team": batch.team_id,
        "state": now.state.label,
        "class": now.klass.label,
        "priority": now.priority,
        "model": now.model,
        "source": batch.source,
        "sample": None if now.sample is None else now.sample.dump(),
        "total": now.total,
        "loaded": now.loaded,
        "done": now.done,
        "failed": now.failed,
        "gpu_seconds": round(now.gpu_seconds, 3),
        "created_at": moment(now.created_at_ms),
        "finished_at": moment_or_none(now.finished_at_ms),
    }


@router.get("")
def list_batches(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    state: Annotated[list[State] | None, Query(description="In one of these states.")] = None,
    owner: Annotated[str, Query(max_length=_MAX_NAME, description="Whose; a name.")] = "",
    name: Annotated[str, Query(max_length=_MAX_NAME, description="Part of its name.")] = "",
    order: Annotated[ListOrder, Query(description="Of the list.")] = ListOrder.NEWEST,
    after: Annotated[str | None, Query(max_length=5_000, description="`next` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Batches:
    """List the batches that one may see, newest first if nothing else is said."""
    which = Filter([BatchState[one.upper()] for one in state or ()], _plain(owner), _plain(name))
    place = None if after is None else _place(order, after)
    found = visible.list_batches(pool, caller, which, after=place, limit=limit + 1, order=order)
    last = found[limit - 1].progress if len(found) > limit else None
    return Batches(
        batches=[Batch.model_validate(shown(one)) for one in found[:limit]],
        next=None if last is None else cursors.written(order, _key(order, last), last.batch_id),
    )


@router.get(
    "/{batch_id}", response_model=OneBatch, responses={304: {"description": "Nothing changed."}}
)
async def get_batch(
    request: Request,
    watcher: Watched,
    caller: Annotated[Caller, needs(Right.READ)],
    batch_id: UUID,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Say how far a batch is, how fast it goes, and what it asks for.

    Pages ask for it again and again, so that it stands on no row of its own, but on what the
    process read for all who ask, at most a quarter of a second ago.
    """
    look = await watcher.find(caller, batch_id)
    if look.written is None:
        look.written = _written(look.batch, request.app.state.speeds)
    etag, body = look.written
    if etags.names(if_none_match, etag):
        return Response(status_code=304, headers={"etag": etag})
    return Response(body, headers={"etag": etag}, media_type="application/json")


def _written(batch: WholeBatch, speeds: Speeds) -> Written:
    reading = reading_of(batch.spec, batch.reading)
    content = shown(batch.seen) | {"spec": batch.spec, "reading": reading.dump()}
    pace = speeds.measure(batch.seen.progress)
    whole = OneBatch.model_validate(content | {"pace": pace._asdict()})
    return Written(etags.etag_of(content), whole.model_dump_json(by_alias=True).encode())


@router.patch("/{batch_id}")
def rename_batch(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.CHANGE)],
    batch_id: UUID,
    asked: NewName,
) -> Batch:
    """Call a batch by another name."""
    visible.find_batch(pool, caller, batch_id, Right.CHANGE)
    batches.rename(pool, batch_id, _plain(asked.name))
    return _changed(pool, caller, batch_id)


@router.post("/{batch_id}/pause")
def pause_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.CHANGE)], batch_id: UUID
) -> Batch:
    """Dispatch nothing more of a batch; work in hand stops after the micro-batch."""
    return _change(pool, caller, batch_id, batches.pause)


@router.post("/{batch_id}/resume")
def resume_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.CHANGE)], batch_id: UUID
) -> Batch:
    """Go on with a paused batch."""
    return _change(pool, caller, batch_id, batches.resume)


@router.post("/{batch_id}/cancel")
def cancel_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.CHANGE)], batch_id: UUID
) -> Batch:
    """End a batch now; nothing more of it is accepted, what is done stays readable."""
    return _change(pool, caller, batch_id, batches.cancel)


@router.post("/{batch_id}/retry")
def retry_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.CHANGE)], batch_id: UUID
) -> Retried:
    """Give the failed images of a batch that is done another try."""
    visible.find_batch(pool, caller, batch_id, Right.CHANGE)
    return Retried(images=batches.retry_failed(pool, str(batch_id)).images)


@router.delete("/{batch_id}", status_code=202)
def delete_batch(
    pool: Pooled, caller: Annotated[Caller, needs(Right.DELETE)], batch_id: UUID
) -> AskedTask:
    """Delete a batch: nobody sees it any more, and the clerk clears it away in a day."""
    return AskedTask(task=trash.put(pool, caller, batch_id))


def _change(
    pool: Pool, caller: Caller, batch_id: UUID, change: Callable[[Pool, str], UUID]
) -> Batch:
    visible.find_batch(pool, caller, batch_id, Right.CHANGE)
    change(pool, str(batch_id))
    return _changed(pool, caller, batch_id)


def _changed(pool: Pool, caller: Caller, batch_id: UUID) -> Batch:
    return Batch.model_validate(shown(visible.find_batch(pool, caller, batch_id, Right.CHANGE)))


def _key(order: ListOrder, progress: Progress) -> int | str:
    return progress.name if order is ListOrder.NAME else progress.created_at_ms


def _place(order: ListOrder, after: str) -> Place:
    kind = cursors.row_text if order is ListOrder.NAME else cursors.row_time
    said, *place = cursors.read(after, str, kind, UUID)
    if said != order:
        raise Problem(422, "cursor", "after: it is of a list in another order; begin anew")
    return Place(*place)


def _plain(text: str) -> str:
    """A text that a row can hold.

    Raises:
        Problem: It has a NUL.
    """
    if "\0" in text:
        reason = "has a NUL; leave it out"
        raise Problem(422, "request.invalid", f"a text {reason}", field="name", reason=reason)
    return text
