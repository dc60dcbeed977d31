"""What a kind of task is: a function that does it in steps, and one that undoes a half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from clerk.leases import Holding
from db.tasks import TakenTask
from producer.pool import Pool


def _nothing() -> None:
    """Nothing is to be done afterwards."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a task.

    Attributes:
        result: JSON; kept in its row.
        afterwards: Called once the task is DONE; may be lost, so it only tidies up.
    """

    result: dict[str, Any]
    afterwards: Callable[[], object] = _nothing


@dataclass(frozen=True, slots=True)
class Work:
    """What a kind's function is given."""

    pool: Pool
    holding: Holding

    @property
    def task(self) -> TakenTask:
        """The task, as it was taken."""
        return self.holding.task

    def step(self, **progress: Any) -> None:  # noqa: ANN401 - JSON
        """Call it often; see ``Holding.step``.

        Raises:
            LeaseLost, HandedBack: Stop at once, and write nothing more.
        """
        self.holding.step(**progress)

    def fence(self, session: Session, batch_id: UUID | None = None) -> None:
        """Call it in every transaction that changes something which another clerk would, too.

        Raises:
            LeaseLost: The task is not ours any more.
        """
        self.holding.require(session, batch_id)


class Kind(Protocol):
    """A module of ``clerk.work``."""

    def do(self, work: Work) -> Finished:
        """Do the task from its beginning, whatever a clerk that died has left of it.

        Raises:
            Permanent: It cannot be done; the sentence is for who asked.
            Transient: It is tried again.
        """

    def undo(self, session: Session, task: TakenTask) -> None:
        """In the transaction that fails the task: take away what is half done."""
