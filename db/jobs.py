"""Jobs in bulk: loading them, finding duplicates, reading them page by page, giving them back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.orm import Session

from db.clock import now_ms
from db.lookup import StoredQuestion
from db.models import BatchRow, JobRow
from db.postgres.copy_in import copy_in
from db.session import Database, is_postgres
from maskpool.domain import BatchState, ImageRef, JobState
from maskpool.errors import NotFound

#: Jobs in one transaction of a submit: large enough for COPY, small enough to resume soon.
BLOCK_POSTGRES = 10_000
BLOCK_SQLITE = 2_000

#: The columns of ``DoneJob``, and what replaces NULL: it leads to an object that does not exist.
_DONE_COLUMNS = (
    (JobRow.seq, 0),
    (JobRow.name, ""),
    (JobRow.image_uri, ""),
    (JobRow.masks_key, ""),
    (JobRow.masks_offset, 0),
    (JobRow.masks_length, 0),
    (JobRow.width, 0),
    (JobRow.height, 0),
)

# A click asks these, and building one costs SQLAlchemy more than running it: they are built once.
_LOADED = (JobRow.seq, JobRow.name, JobRow.image_uri)
_ONE = (JobRow.batch_id == bindparam("batch"), JobRow.seq == bindparam("job"))
_LOADED_ONE = select(*_LOADED).where(*_ONE)
_WITH_QUESTION = (
    select(JobRow, BatchRow.spec, BatchRow.reading, BatchRow.source)
    .join(BatchRow, BatchRow.id == JobRow.batch_id)
    .where(*_ONE, BatchRow.deleted_at.is_(None))
)

#: COPY's text format gives these a meaning of its own.
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class LoadedJob(NamedTuple):
    """What was submitted of a job."""

    seq: int
    name: str
    image_uri: str


class DoneJob(NamedTuple):
    """What reading a job's result back needs of its row; a tuple, as merging holds a million."""

    seq: int
    name: str
    image_uri: str
    masks_key: str
    masks_offset: int
    masks_length: int
    width: int
    height: int


def block_size(database: Database) -> int:
    """How many jobs to load in one transaction."""
    return BLOCK_POSTGRES if database.is_postgres else BLOCK_SQLITE


def load_block(session: Session, batch_id: UUID, expected: int, images: Sequence[ImageRef]) -> bool:
    """Append images as jobs ``expected, expected + 1, …`` of a LOADING batch.

    The compare-and-set on ``loaded`` comes first: of two submitters of one key the second waits
    for the first's transaction and then finds that the place is taken.

    Returns:
        False where another submitter was there before, or the batch is not loading any more;
        nothing is written then.
    """
    moved = session.execute(
        update(BatchRow)
        .where(
            BatchRow.id == batch_id,
            BatchRow.state == BatchState.LOADING,
            BatchRow.loaded == expected,
        )
        .values(loaded=expected + len(images))
        .returning(BatchRow.id)
    ).one_or_none()
    if moved is None:
        return False
    if is_postgres(session):
        _copy(session, batch_id, expected, images)
    else:
        session.execute(
            insert(JobRow),
            [
                {
                    "batch_id": batch_id,
                    "seq": seq,
                    "name": image.name,
                    "image_uri": image.uri,
                    "prompts": None if image.prompts is None else json.loads(image.prompts),
                }
                for seq, image in enumerate(images, expected)
            ],
        )
    return True


def _copy(session: Session, batch_id: UUID, first: int, images: Sequence[ImageRef]) -> None:
    asked = any(image.prompts is not None for image in images)
    lines = "".join(
        f"{batch_id}\t{seq}\t{image.name.translate(_COPY_ESCAPES)}"
        f"\t{image.uri.translate(_COPY_ESCAPES)}{_copied(image.prompts) if asked else ''}\n"
        for seq, image in enumerate(images, first)
    )
    columns = f"batch_id, seq, name, image_uri{', prompts' if asked else ''}"
    with copy_in(session, f"COPY jobs ({columns}) FROM STDIN") as copy:
        copy.write(lines.encode())


def _copied(prompts: str | None) -> str:
    """The column after others in COPY's text format."""
    return "\t\\N" if prompts is None else f"\t{prompts.translate(_COPY_ESCAPES)}"


def duplicate_names(session: Session, batch_id: UUID, *, limit: int = 5) -> list[str]:
    """Names that several jobs of a batch share; the exact query runs only where hashes collide."""
    if is_postgres(session):
        distinct = text(
            "SELECT count(*) - count(DISTINCT hashtextextended(name, 0)) FROM jobs"
            " WHERE batch_id = :batch"
        )
        if session.scalar(distinct, {"batch": batch_id}) == 0:
            return []
    doubled = (
        select(JobRow.name)
        .where(JobRow.batch_id == batch_id)
        .group_by(JobRow.name)
        .having(func.count() > 1)
        .order_by(JobRow.name)
        .limit(limit)
    )
    return list(session.scalars(doubled))


def count_by_state(session: Session, batch_id: UUID) -> dict[JobState, int]:
    """How many jobs of a batch are in each state, counted; its row says it a tick later."""
    rows = session.execute(
        select(JobRow.state, func.count()).where(JobRow.batch_id == batch_id).group_by(JobRow.state)
    )
    return {JobState(state): count for state, count in rows}


def loaded_page(
    session: Session, batch_id: UUID, *, after: int = -1, limit: int = 1_000
) -> list[LoadedJob]:
    """One page of what was submitted, by ``seq``."""
    rows = session.execute(
        select(*_LOADED)
        .where(JobRow.batch_id == batch_id, JobRow.seq > after)
        .order_by(JobRow.seq)
        .limit(limit)
    )
    return [LoadedJob._make(row) for row in rows]


def loaded(session: Session, batch_id: UUID, seq: int) -> LoadedJob:
    """What was submitted of one job.

    Raises:
        NotFound: The batch has no such job.
    """
    row = session.connection().execute(_LOADED_ONE, {"batch": batch_id, "job": seq}).one_or_none()
    if row is None:
        raise no_image(batch_id, seq)
    return LoadedJob._make(row)


def no_image(batch_id: UUID, seq: int) -> NotFound:
    """What is said of an image that a batch has not."""
    return NotFound(f"batch {batch_id} has no image {seq}")


def page(
    session: Session,
    batch_id: UUID,
    *,
    after: int = -1,
    states: Sequence[JobState] | None = None,
    limit: int = 1_000,
) -> list[JobRow]:
    """One page of jobs by ``seq``, for reading in short transactions."""
    query = select(JobRow).where(JobRow.batch_id == batch_id, JobRow.seq > after)
    if states is not None:
        query = query.where(JobRow.state.in_(states))
    rows = list(session.scalars(query.order_by(JobRow.seq).limit(limit)))
    session.expunge_all()
    return rows


def with_question(session: Session, batch_id: UUID, seq: int) -> tuple[JobRow, StoredQuestion]:
    """One job, and what its batch asks for.

    Raises:
        NotFound: There is no such job, or its batch was deleted.
    """
    row = session.execute(_WITH_QUESTION, {"batch": batch_id, "job": seq}).one_or_none()
    if row is None:
        raise no_image(batch_id, seq)
    job, *question = row
    session.expunge(job)
    return job, StoredQuestion(*question)


def errors(session: Session, batch_id: UUID) -> Iterator[tuple[str | None, int]]:
    """Why the FAILED jobs of a batch failed, with how many for each sentence, most first."""
    count = func.count()
    rows = session.execute(
        select(JobRow.error, count)
        .where(JobRow.batch_id == batch_id, JobRow.state == JobState.FAILED)
        .group_by(JobRow.error)
        .order_by(count.desc(), JobRow.error)
    )
    yield from rows


def named(session: Session, batch_id: UUID, name: str) -> JobRow | None:
    """The job of a name."""
    row = session.scalar(select(JobRow).where(JobRow.batch_id == batch_id, JobRow.name == name))
    if row is not None:
        session.expunge(row)
    return row


def done_page(
    session: Session, batch_id: UUID, *, after: int = -1, limit: int = 1_000
) -> list[DoneJob]:
    """One page of the jobs that are DONE, by ``seq``."""
    query = select(*(func.coalesce(column, nothing) for column, nothing in _DONE_COLUMNS)).where(
        JobRow.batch_id == batch_id, JobRow.seq > after, JobRow.state == JobState.DONE
    )
    rows = session.execute(query.order_by(JobRow.seq).limit(limit))
    return [DoneJob._make(row) for row in rows]


def chunk_seqs(lo: int, hi: int, seqs: Sequence[int] | None) -> Sequence[int]:
    """The jobs of a chunk: a range, or the list where there is one."""
    return range(lo, hi) if seqs is None else seqs


def return_jobs(session: Session, batch_id: UUID, seqs: Sequence[int]) -> None:
    """Unfinished jobs of a chunk go back uncharged, to be claimed again at once."""
    session.execute(
        update(JobRow)
        .where(
            JobRow.batch_id == batch_id,
            JobRow.seq.in_(seqs),
            JobRow.state == JobState.WAITING,
        )
        .values(state=JobState.RETRY, next_at=now_ms())
    )
