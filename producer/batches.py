"""What can be done with a batch that was submitted: list, watch, pause, resume, cancel, retry, rm.

Each function is one use case: it opens its own transactions and wakes the dispatcher after COMMIT.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from db import batches, instances, jobs, lookup, removal, seen
from maskpool.domain import JobState, Progress
from maskpool.failure_kinds import FailureKind, kind_of
from maskpool.reading import Reading, reading_of
from producer.deletion import delete_marked
from producer.pool import Pool
from producer.results import reader
from producer.results.progress import Pace, Speed

#: Seconds between two readings of a batch that is watched.
_POLL_SECONDS = 0.5

#: Of a failed image whose row says none.
_NO_REASON = "no reason was recorded"


@dataclass(frozen=True, slots=True)
class Retried:
    """A batch whose failed images are tried again, and how many these are."""

    batch_id: UUID
    images: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A batch that is gone, and how many objects went with it."""

    batch_id: UUID
    objects: int


@dataclass(frozen=True, slots=True)
class FailedImage:
    """An image without a result, and the sentence that says why."""

    seq: int
    name: str
    error: str

    @property
    def kind(self) -> FailureKind:
        """Of its reason."""
        return kind_of(self.error)


@dataclass(frozen=True, slots=True)
class FailedAlike:
    """Images that failed for one kind of reason.

    Attributes:
        kind: Of the reason.
        images: How many.
        example: The sentence that most of them have.
    """

    kind: FailureKind
    images: int
    example: str


def recent(pool: Pool, *, limit: int, owner: str | None = None) -> list[Progress]:
    """The latest batches, newest first.

    Args:
        pool: Where they are.
        limit: At most so many.
        owner: Whose; None for everybody's.
    """
    with pool.database.read() as session:
        return lookup.recent(session, limit=limit, owner=owner)


def progress(pool: Pool, batch_id: UUID) -> Progress:
    """How far a batch is.

    Raises:
        NotFound: There is no such batch.
    """
    with pool.database.read() as session:
        return lookup.progress(session, batch_id)


def watch(pool: Pool, batch_id: UUID) -> Iterator[tuple[Progress, Pace]]:
    """How far a batch is and how fast it goes, twice a second until it has ended.

    Raises:
        NotFound: There is no such batch.
    """
    speed = Speed()
    while True:
        now = progress(pool, batch_id)
        yield now, speed.measure(now)
        if now.ended:
            return
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Question:
    """What a batch asks for, and how its results are read."""

    spec: dict[str, Any]
    reading: Reading


def question(pool: Pool, batch_id: UUID) -> Question:
    """What a batch asks for.

    Raises:
        NotFound: There is no such batch.
    """
    with pool.database.read() as session:
        stored = lookup.question(session, batch_id)
    return Question(stored.spec, reading_of(stored.spec, stored.reading))


def rename(pool: Pool, batch_id: UUID, name: str) -> None:
    """Call a batch by another name."""
    with pool.database.write() as session:
        seen.rename(session, batch_id, name)


def count_instances(pool: Pool, batch_id: UUID) -> dict[str, int]:
    """How many instances of each category count so far, from their rows alone.

    Raises:
        NotFound: There is no such batch.
    """
    view = reader.view(pool.database, batch_id)
    with pool.database.read() as session:
        counts = instances.count_by_prompt(session, batch_id, view.rule)
    found: Counter[str] = Counter()
    for index, name in enumerate(view.categories):
        # Prompts always; of the classes of objects, which may be thousands, those that are there.
        if index < len(view.spec.prompts) or index in counts:
            found[name] += counts.get(index, 0)
    return dict(found)


def failures(pool: Pool, batch_id: UUID, *, after: int = -1, limit: int = 100) -> list[FailedImage]:
    """One page of the images that failed, as they were submitted.

    Args:
        pool: Where they are.
        batch_id: Whose.
        after: ``seq`` of the image before the page.
        limit: At most so many.
    """
    with pool.database.read() as session:
        rows = jobs.page(session, batch_id, after=after, states=[JobState.FAILED], limit=limit)
    return [FailedImage(row.seq, row.name, row.error or _NO_REASON) for row in rows]


def failure_kinds(pool: Pool, batch_id: UUID) -> list[FailedAlike]:
    """The failed images of a batch by the kind of their reason, most first."""
    alike: dict[FailureKind, FailedAlike] = {}
    with pool.database.read() as session:
        for error, count in jobs.errors(session, batch_id):
            sentence = error or _NO_REASON
            kind = kind_of(sentence)
            # The most frequent sentence comes first.
            known = alike.setdefault(kind, FailedAlike(kind, 0, sentence))
            alike[kind] = replace(known, images=known.images + count)
    return sorted(alike.values(), key=lambda one: (-one.images, one.kind))


def pause(pool: Pool, reference: str) -> UUID:
    """Dispatch nothing more of a batch; work in hand stops after the micro-batch.

    Raises:
        NotFound: None or several batches are meant.
        Conflict: The batch is not active.
    """
    return _change(pool, reference, batches.pause)


def resume(pool: Pool, reference: str) -> UUID:
    """Go on with a paused batch.

    Raises:
        NotFound: None or several batches are meant.
        Conflict: The batch is not paused.
    """
    return _change(pool, reference, batches.resume)


def cancel(pool: Pool, reference: str) -> UUID:
    """End a batch now; nothing more of it is accepted, what is done stays readable.

    Raises:
        NotFound: None or several batches are meant.
        Conflict: The batch has ended already.
    """
    return _change(pool, reference, batches.cancel)


def retry_failed(pool: Pool, reference: str) -> Retried:
    """Give the failed images of a batch that is done another try.

    Raises:
        NotFound: None or several batches are meant.
        Conflict: The batch is not done, or nothing failed.
    """
    batch_id = pool.find(reference)
    with pool.database.write() as session:
        count = batches.retry_failed(session, batch_id)
    pool.wake()
    return Retried(batch_id, count)


def remove(pool: Pool, batch_id: UUID) -> Removed:
    """Delete a batch that has ended: its rows, its masks and its uploaded images.

    Raises:
        NotFound: There is no such batch, or it is being deleted.
        Conflict: The batch is still active or paused.
        Unreachable: The store is away; the rows are gone then, and ``collect`` finds the objects.
    """
    with pool.database.write() as session:
        removal.require_ended(session, batch_id)
        removal.mark_deleted(session, batch_id)
    _, objects = delete_marked(pool.database, pool.store(), batch_id)
    return Removed(batch_id, objects)


def _change(pool: Pool, reference: str, change: Callable[[Session, UUID], None]) -> UUID:
    batch_id = pool.find(reference)
    with pool.database.write() as session:
        change(session, batch_id)
    pool.wake()
    return batch_id
