"""What the clerk does: looked at, given up; exports are asked for and downloaded."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import Header, Path, Query
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field
from sqlalchemy.orm import Session

from db.models import TaskRow
from db.task_problems import Why
from maskpool.tasks import TaskKind, TaskState
from producer import exports, tasks, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from web import cursors, etags, ranges
from web.access import Pooled, needs
from web.idempotency import Answer, Idempotent, Seal
from web.router import Router
from web.routes.batches import AskedTask
from web.shapes import Asked, Shown, moment, moment_or_none

router = Router(prefix="/api/v1", tags=["tasks"])

_ID = "01a1fcdc-b907-771a-84fd-d7ac484311e2"
_TIME = datetime.fromisoformat("2026-11-28T14:00:00Z")

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class TaskFile(Shown):
    """A file that a task made."""

    name: str = Field(examples=["coco.json"])
    size: int = Field(description="Bytes.", examples=[48_200])
    saved_as: str = Field(
        description="What it is called where it is saved: after its batch.",
        examples=["street-coco.json"],
    )


class TaskProblem(Shown):
    """Why a task failed, or is put off: as the problem of a refused request says it."""

    code: str = Field(
        description="What went wrong, for programs; never changes.", examples=["export.unfinished"]
    )
    detail: str = Field(
        description="For people.",
        examples=["batch … is active, 3 images to go; wait for it, or ask for a partial dataset"],
    )
    params: dict[str, Any] = Field(
        description="What a translation of `detail` needs.", examples=[{"missing": 3, "total": 9}]
    )


class Task(Shown):
    """Something that takes longer than a request."""

    id: UUID = Field(examples=[_ID])
    kind: str = Field(examples=["export"])
    state: Literal["waiting", "running", "done", "failed", "cancelled"] = Field(examples=["done"])
    batch: UUID | None = Field(description="What it is about.", examples=[_ID])
    progress: dict[str, Any] | None = Field(examples=[{"done": 500, "total": 2_000}])
    result: dict[str, Any] | None = Field(examples=[{"images": 2_000}])
    error: str | None = Field(
        description="Why it failed or, while it waits, was put off.", examples=[None]
    )
    problem: TaskProblem | None = Field(
        description="`error` with its code; null where a server of an earlier version wrote it.",
        examples=[None],
    )
    files: list[TaskFile]
    created_at: datetime = Field(examples=[_TIME])
    finished_at: datetime | None = Field(examples=[None])
    expires_at: datetime | None = Field(description="It is cleared away then.", examples=[None])


class Tasks(Shown):
    """One page of tasks."""

    tasks: list[Task]
    next: str | None = Field(
        description="Hand it back as `after`; null at the end.", examples=[None]
    )


class NewExport(Asked):
    """Batches that are to become one data set."""

    batches: list[Annotated[UUID, Field(strict=False)]] = Field(
        min_length=1, max_length=100, examples=[[_ID]]
    )
    format: str = Field(default="coco", max_length=50, examples=["coco"])
    threshold: Share | None = None
    max_overlap: Share | None = None
    max_against: Share | None = None
    exclusive: bool | None = None
    partial: bool = Field(default=False, description="Also of batches that go on.")
    refine: Literal["none", "low", "medium", "high"] = Field(
        default="none",
        description="How fine masks are made as they are read; what is stored never changes.",
    )


def _shown(task: TaskRow) -> Task:
    result = dict(task.result or {})
    if task.kind == TaskKind.EXPORT:
        result.pop("files", None)  # they stand beside it
    return Task.model_validate(
        {
            "id": task.id,
            "kind": task.kind,
            "state": TaskState(task.state).label,
            "batch": task.batch_id,
            "progress": task.progress,
            "result": result if task.result is not None else None,
            "error": task.error,
            "problem": _problem(task),
            "files": [
                TaskFile(name=one.name, size=one.size, saved_as=one.saved_as)
                for one in exports.files(task)
            ],
            "created_at": moment(task.created_at),
            "finished_at": moment_or_none(task.finished_at),
            "expires_at": moment_or_none(task.expires_at),
        }
    )


def _problem(task: TaskRow) -> TaskProblem | None:
    why = Why.of(task)
    if why is None or not why.code:
        return None
    return TaskProblem(code=why.code, detail=why.detail, params=why.params)


@router.get("/tasks")
def list_tasks(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.READ)],
    batch: Annotated[UUID | None, Query(description="Only what is about it.")] = None,
    after: Annotated[str | None, Query(max_length=500, description="`next` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Tasks:
    """List the tasks that one may see, newest first."""
    place = None if after is None else cursors.read(after, cursors.row_time, UUID)
    found = visible.list_tasks(pool, caller, batch_id=batch, after=place, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return Tasks(
        tasks=[_shown(one) for one in found[:limit]],
        next=None if last is None else cursors.written(last.created_at, last.id),
    )


@router.get("/tasks/{task_id}")
def get_task(pool: Pooled, caller: Annotated[Caller, needs(Right.READ)], task_id: UUID) -> Task:
    """Say how far a task is, and what came of it."""
    return _shown(visible.find_task(pool, caller, task_id))


@router.post("/tasks/{task_id}/cancel")
def cancel_task(
    pool: Pooled, caller: Annotated[Caller, needs(Right.CHANGE)], task_id: UUID
) -> Task:
    """Give a task up."""
    visible.find_task(pool, caller, task_id, Right.CHANGE)
    tasks.cancel(pool, task_id)
    return _shown(tasks.find(pool, task_id))


@router.post("/exports", status_code=202, response_model=AskedTask)
def create_export(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.EXPORT)],
    asked: NewExport,
    once: Idempotent,
) -> JSONResponse:
    """Have batches written as a data set; its files are the task's."""
    args = asked.model_dump(exclude={"batches", "refine"}, exclude_none=True)
    if asked.refine != "none":  # a clerk of the version before knows no such word
        args["refine"] = asked.refine

    def work(seal: Seal) -> Answer:
        def also(session: Session, task_id: UUID) -> None:
            seal(session, Answer(202, AskedTask(task=task_id)))

        return Answer(202, AskedTask(task=exports.ask(pool, caller, asked.batches, args, also)))

    return once.run(pool, caller, work)


@router.get(
    "/tasks/{task_id}/files/{name:path}",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        206: {"content": {"application/octet-stream": {}}, "description": "The part of `Range`."},
    },
)
def download(
    pool: Pooled,
    caller: Annotated[Caller, needs(Right.EXPORT)],
    task_id: UUID,
    name: Annotated[str, Path(max_length=1_000)],
    range_: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Download a file that a task made; with `Range` a part of it, as to go on with one."""
    file = exports.find_file(visible.find_task(pool, caller, task_id, Right.EXPORT), name)
    # What a task made never changes.
    etag = etags.etag_of([str(task_id), file.key, file.size])
    part = ranges.wanted(range_, if_range, etag, file.size)
    start, stop = part or (0, file.size)
    pieces = exports.pieces(pool, file, start, stop)
    # The first one now: what is gone is then a refusal, and no answer that breaks off.
    whole = chain([next(pieces, b"")], pieces)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.saved_as)}",
        "content-length": str(stop - start),
        "accept-ranges": "bytes",
        "etag": etag,
    }
    if part is not None:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{file.size}"
    return StreamingResponse(
        whole,
        status_code=200 if part is None else 206,
        media_type="application/octet-stream",
        headers=headers,
    )
