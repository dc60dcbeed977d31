"""``load``: list a source and load its images into a batch."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clerk.work.port import Finished, Work
from db import lookup, removal, tasks
from db.tasks import TakenTask
from maskpool.domain import BatchState
from maskpool.errors import NotFound
from maskpool.tasks import TaskKind
from producer.load import LoadArgs, load


def do(work: Work) -> Finished:
    """See ``Kind.do``. Another clerk goes on with what one that died has loaded: same key."""
    loaded = load(
        work.pool,
        LoadArgs.read(work.task.args),
        key=str(work.task.id),
        fence=work.fence,
        on_read=lambda lines: work.step(lines=lines),
        on_loaded=lambda images: work.step(images=images),
    )
    return Finished(
        {
            "batch": str(loaded.batch_id),
            "images": loaded.total,
            "created": loaded.created,
            "passed_over": loaded.passed_over.counts,
        }
    )


def undo(session: Session, task: TakenTask) -> None:
    """A batch that is not whole is seen by nobody any more, and another task clears it away."""
    row = tasks.find(session, task.id)
    batch_id = None if row is None else row.batch_id
    if batch_id is None:
        return
    try:
        state = lookup.progress(session, batch_id).state
    except NotFound:  # the submission took it away itself
        return
    if state == BatchState.LOADING:
        removal.mark_deleted(session, batch_id)
        args = {"batch": str(batch_id)}
        tasks.create(
            session, TaskKind.DELETE, args, user_id=task.user_id, team_id=None, batch_id=batch_id
        )
