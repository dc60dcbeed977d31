"""Data sets for somebody at the door: asked of the clerk, and read back in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from db.models import TaskRow
from maskpool.errors import NotFound, SpecError
from maskpool.tasks import TaskKind
from producer import tasks, visible
from producer.accounts.caller import Caller
from producer.accounts.rights import Right
from producer.pool import Pool

#: Bytes that are read of the store at once.
_PIECE = 1024 * 1024


class ExportFile(NamedTuple):
    """A file that an export made."""

    name: str
    key: str
    size: int
    #: What it is called where somebody saves it.
    saved_as: str


def ask(
    pool: Pool,
    caller: Caller,
    batch_ids: Sequence[UUID],
    args: dict[str, Any],
    also: Callable[[Session, UUID], None] = lambda *_: None,
) -> UUID:
    """Have the clerk write batches as a data set; returns the task's id.

    Args:
        pool: Where they are.
        caller: Who asks.
        batch_ids: At least one.
        args: What else the clerk's ``export`` is told.
        also: Called with the task's id in the transaction that creates it.

    Raises:
        NotFound, Refused: One of them is none that the caller may export.
        SpecError: The format is not known.
    """
    from producer.formats import FORMATS  # noqa: PLC0415 - the formats take numpy

    if args["format"] not in FORMATS:
        raise SpecError("format", f"{args['format']!r} is not known; there is {', '.join(FORMATS)}")
    found = [visible.find_batch(pool, caller, one, Right.EXPORT) for one in batch_ids]
    teams = {one.team_id for one in found}
    # What two teams own together, neither of them sees alone.
    team = teams.pop() if len(teams) == 1 else None
    only = found[0].batch_id if len(found) == 1 else None
    with pool.database.write() as session:
        task_id = tasks.create(
            session,
            TaskKind.EXPORT,
            {**args, "batches": [str(one) for one in batch_ids]},
            user_id=caller.user_id,
            team_id=team,
            batch_id=only,
        )
        also(session, task_id)
    pool.wake()
    return task_id


def files(task: TaskRow) -> list[ExportFile]:
    """The files that a task made; none before its end."""
    # Of an archive, "files" is how many came out of it.
    made = (task.result or {}).get("files", []) if task.kind == TaskKind.EXPORT else []
    return [
        ExportFile(
            str(one["name"]),
            str(one["key"]),
            int(one["bytes"]),
            str(one.get("saved_as") or one["name"].rpartition("/")[2]),
        )
        for one in made
    ]


def find_file(task: TaskRow, name: str) -> ExportFile:
    """One of them.

    Raises:
        NotFound: There is none of this name.
    """
    for file in files(task):
        if file.name == name:
            return file
    raise NotFound(f"task {task.id} made no file {name!r}")


def pieces(
    pool: Pool, file: ExportFile, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """A file's bytes from ``start`` up to ``stop``; a piece of it is in memory at once.

    Raises:
        NotFound: It is gone.
        Unreachable: The store is away.
    """
    store = pool.store()
    end = file.size if stop is None else stop
    for at in range(start, end, _PIECE):
        yield store.get(file.key, at, min(_PIECE, end - at))
