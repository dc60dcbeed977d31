"""``count``: count what was found in a batch that has ended, by score."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from clerk.work.port import Finished, Work
from db.tasks import TakenTask
from maskpool.strict import Strict
from producer.counting import count


class CountArgs(Strict):
    """What to count.

    Attributes:
        batch: Which.
    """

    batch: UUID


def do(work: Work) -> Finished:
    """See ``Kind.do``. Each try has a version of its own, which nobody reads before it is whole."""
    images = count(
        work.pool.database,
        CountArgs.read(work.task.args).batch,
        fence=work.fence,
        on_step=lambda done, total: work.step(done=done, total=total),
    )
    # A batch that is gone, or goes on, needs none: its next end asks again.
    return Finished({} if images is None else {"images": images})


def undo(session: Session, task: TakenTask) -> None:
    """Nothing: what a try has left goes with the next one, or with its batch."""
