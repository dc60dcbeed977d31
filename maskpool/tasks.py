"""The clerk's tasks: what takes longer than a request. Their kinds, states, and the one message.

As with chunks, a message names a row and says nothing else; the row is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from maskpool.errors import Permanent

#: The list in Redis that clerks read.
QUEUE = "clerk"

#: The clerk's one Celery task.
TASK = "clerk.run"

#: How often a task may be taken and lost, or fail for a while, before it is FAILED.
MAX_TAKES = 5

#: How long a task that has ended is kept, with what it made.
KEPT_MS = 7 * 24 * 3600 * 1000

#: How long a batch that was deleted at the door can be had back.
TRASH_MS = 24 * 3600 * 1000


class TaskKind(StrEnum):
    """What a clerk can do."""

    #: List a source and load its images into a batch.
    LOAD = "load"
    #: Take the files of an archive out of it.
    UNPACK = "unpack"
    #: Write batches as a dataset.
    EXPORT = "export"
    #: Clear a batch or an upload away.
    DELETE = "delete"
    #: Clear away what nobody needs any more.
    EXPIRE = "expire"
    #: Count what was found in a batch, by score.
    COUNT = "count"


class TaskState(IntEnum):
    """WAITING ⇄ RUNNING → DONE | FAILED | CANCELLED."""

    #: No clerk has it.
    WAITING = 0
    #: One clerk holds its lease.
    RUNNING = 1
    #: Its result is there.
    DONE = 2
    #: It ended without a result; ``error`` says why.
    FAILED = 3
    #: Somebody gave it up.
    CANCELLED = 4

    @property
    def label(self) -> str:
        """The state as people read it, e.g. ``waiting``."""
        return self.name.lower()

    @classmethod
    def open(cls) -> tuple[TaskState, ...]:
        """Not ended."""
        return (cls.WAITING, cls.RUNNING)


@dataclass(frozen=True, slots=True)
class TaskMessage:
    """What the broker carries of a task.

    Attributes:
        task_id: Its row.
        kind: For people who read Flower; the clerk believes the row.
    """

    task_id: UUID
    kind: TaskKind


def to_kwargs(message: TaskMessage) -> dict[str, Any]:
    """The Celery task's arguments."""
    return {"task": str(message.task_id)}


def describe(message: TaskMessage) -> str:
    """The arguments as people read them in Flower."""
    return f"{message.kind} task={message.task_id}"


def from_kwargs(kwargs: dict[str, Any]) -> UUID:
    """Read a message, trusting nothing; returns the task's id.

    Raises:
        Permanent: It is not one of ours; names what is wrong.
    """
    if set(kwargs) != {"task"}:
        raise Permanent(f"a message has the fields {sorted(map(str, kwargs))[:8]}; dropped")
    try:
        return UUID(str(kwargs["task"]))
    except ValueError:
        raise Permanent("a message names no task; dropped") from None
