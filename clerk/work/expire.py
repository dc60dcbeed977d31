"""``expire``: the hourly sweep of what nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from clerk.work.port import Finished, Work
from db import counting, removal, scratch, sweeping
from db.tasks import TakenTask
from maskpool.errors import Conflict, NotFound
from producer.deletion import delete_marked, delete_objects, delete_upload
from storage.objects import keys


def do(work: Work) -> Finished:
    """See ``Kind.do``. Each thing is cleared away by itself, so two sweeps at once are harmless."""
    counts: dict[str, int] = {}
    for name, find, clear in (
        ("uploads", sweeping.expired_uploads, _clear_upload),
        ("tasks", sweeping.expired_tasks, _clear_task),
        ("loads", sweeping.given_up_loads, _clear_unmarked),
        ("scratch", scratch.past, _clear_unmarked),
        ("deletions", sweeping.broken_off_deletions, _clear_batch),
        ("uncounted", counting.uncounted, _ask_to_count),
    ):
        with work.pool.database.read() as session:
            found = find(session)
        for count, one in enumerate(found, start=1):
            clear(work, one)
            counts[name] = count
            work.step(**counts)
    for name, forget in (
        ("answers", sweeping.forget_answers),
        ("sessions", sweeping.forget_sessions),
    ):
        counts[name] = _forget(work, forget)
    return Finished({name: count for name, count in counts.items() if count})


def undo(session: Session, task: TakenTask) -> None:
    """Nothing is half done."""


def _forget(work: Work, forget: Callable[[Session], int]) -> int:
    with work.pool.database.write() as session:
        return forget(session)


def _clear_upload(work: Work, upload_id: UUID) -> None:
    try:
        delete_upload(work.pool.database, work.pool.store(), upload_id)
    except Conflict:  # a batch was made of it since it was found
        return


def _clear_task(work: Work, task_id: UUID) -> None:
    # Objects first: without the row nobody would know that they may go.
    delete_objects(work.pool.store(), (keys.exports_prefix(task_id),), lambda _: None)
    with work.pool.database.write() as session:
        sweeping.forget_task(session, task_id)


def _clear_unmarked(work: Work, batch_id: UUID) -> None:
    try:
        with work.pool.database.write() as session:
            removal.mark_deleted(session, batch_id)
    except NotFound:  # somebody deleted it meanwhile
        return
    _clear_batch(work, batch_id)


def _ask_to_count(work: Work, batch_id: UUID) -> None:
    with work.pool.database.write() as session:
        counting.ask(session, batch_id)


def _clear_batch(work: Work, batch_id: UUID) -> None:
    delete_marked(work.pool.database, work.pool.store(), batch_id)
