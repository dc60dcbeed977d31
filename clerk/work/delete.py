"""``delete``: clear a batch away that was marked as deleted, or an upload."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from clerk.work.port import Finished, Work
from db.tasks import TakenTask
from maskpool.strict import Strict
from producer.deletion import delete_marked, delete_upload


class DeleteArgs(Strict):
    """What to delete: one of the two.

    Attributes:
        batch: Marked as deleted already (``producer.trash.put``).
        upload: Of which no batch was made.
    """

    batch: UUID | None = None
    upload: UUID | None = None


def do(work: Work) -> Finished:
    """See ``Kind.do``. A late clerk deletes what is to go anyway, so only ends are fenced."""
    args = DeleteArgs.read(work.task.args)
    store, database = work.pool.store(), work.pool.database
    rows = objects = 0

    def step(rows: int, objects: int) -> None:
        work.step(rows=rows, objects=objects)

    if args.batch is not None:
        rows, objects = delete_marked(database, store, args.batch, step)
    if args.upload is not None:
        objects += delete_upload(database, store, args.upload, fence=work.fence, on_step=step)
    return Finished({"rows": rows, "objects": objects})


def undo(session: Session, task: TakenTask) -> None:
    """Nothing: the sweep goes on with a deletion that was broken off."""
