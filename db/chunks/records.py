"""What a worker reads from the rows and what it writes back, the same for every database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from maskpool.domain import Instance, Job, JobState

#: Of every instance, in the order of ``instance_values``.
INSTANCE_COLUMNS = (
    *("batch_id", "seq", "ordinal", "prompt_index"),
    *("x", "y", "w", "h", "area"),
    *("score", "overlap", "clip_score"),
)

#: Those that follow where some instance has one of them. In the chunks of most batches none has,
#: and leaving them out spares a fifth of what writing the rows costs.
RARE_COLUMNS = ("against", "contended", "contender", "object_index", "predicted_iou")


@dataclass(frozen=True, slots=True)
class TakenChunk:
    """What a worker holds: the jobs, and the batch's spec as stored."""

    batch_id: UUID
    chunk_id: UUID
    spec: dict[str, Any]
    jobs: tuple[Job, ...]


class EndRow(NamedTuple):
    """The columns that a job's end writes; in RETRY, ``next_at`` is now plus ``delay_ms``."""

    state: JobState
    attempts: int
    delay_ms: int = 0
    masks_key: str | None = None
    masks_offset: int | None = None
    masks_length: int | None = None
    width: int | None = None
    height: int | None = None
    n_instances: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A job whose masks are stored.

    Attributes:
        seq: Which job.
        masks_key: Of the chunk's mask object.
        masks_offset: Where the job's record starts in it, in bytes.
        masks_length: Bytes of the record.
        width: Pixels, after EXIF orientation.
        height: Pixels, after EXIF orientation.
        instances: Everything found with score ≥ ``SCORE_FLOOR``.
        attempts: Transient errors so far.
    """

    seq: int
    masks_key: str
    masks_offset: int
    masks_length: int
    width: int
    height: int
    instances: tuple[Instance, ...] = field(default=(), repr=False)
    attempts: int = 0

    def row(self) -> EndRow:
        """As the job's row keeps it."""
        return EndRow(
            JobState.DONE,
            self.attempts,
            masks_key=self.masks_key,
            masks_offset=self.masks_offset,
            masks_length=self.masks_length,
            width=self.width,
            height=self.height,
            n_instances=len(self.instances),
        )


@dataclass(frozen=True, slots=True)
class Failed:
    """A job that ends without a result.

    Attributes:
        seq: Which job.
        error: A sentence a person understands.
        attempts: Transient errors so far.
    """

    seq: int
    error: str
    attempts: int = 0

    def row(self) -> EndRow:
        """As the job's row keeps it."""
        return EndRow(JobState.FAILED, self.attempts, error=storable(self.error))


@dataclass(frozen=True, slots=True)
class Returned:
    """A job that comes back and may be claimed again.

    Attributes:
        seq: Which job.
        attempts: Transient errors so far.
        delay_ms: How long it waits before it may be claimed.
        error: Why it came back; None where it was not begun.
    """

    seq: int
    attempts: int = 0
    delay_ms: int = 0
    error: str | None = None

    def row(self) -> EndRow:
        """As the job's row keeps it."""
        error = None if self.error is None else storable(self.error)
        return EndRow(JobState.RETRY, self.attempts, self.delay_ms, error=error)


#: How one job leaves a chunk.
JobEnd = Done | Failed | Returned


def counts(ends: Sequence[JobEnd]) -> tuple[int, int]:
    """How many are DONE and how many FAILED."""
    kinds = [type(end) for end in ends]
    return kinds.count(Done), kinds.count(Failed)


def storable(sentence: str) -> str:
    """Postgres stores neither NUL nor lone surrogates, and an error may quote anything."""
    return sentence.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def have_rare(ends: Sequence[JobEnd]) -> bool:
    """Whether some instance has a value in ``RARE_COLUMNS``."""
    return any(
        # The other two are there only beside one of these.
        instance.contended is not None
        or instance.against is not None
        or instance.found.object_index is not None
        for end in ends
        if isinstance(end, Done)
        for instance in end.instances
    )


def instance_values(
    batch_id: UUID, ends: Sequence[JobEnd], *, rare: bool
) -> Iterator[tuple[Any, ...]]:
    """The rows of all instances, in the order of ``INSTANCE_COLUMNS``.

    Args:
        batch_id: Whose.
        ends: Those of other jobs than DONE ones have no instances.
        rare: Whether the values of ``RARE_COLUMNS`` follow.
    """
    for end in ends:
        if not isinstance(end, Done):
            continue
        for ordinal, instance in enumerate(end.instances):
            x0, y0, x1, y1 = instance.found.box_xyxy
            values = (
                batch_id,
                end.seq,
                ordinal,
                instance.found.prompt_index,
                int(x0),
                int(y0),
                int(x1 - x0),
                int(y1 - y0),
                instance.area,
                instance.found.score,
                instance.overlap,
                instance.clip_score,
            )
            yield (*values, *_rare_values(instance)) if rare else values


def _rare_values(instance: Instance) -> tuple[float | None, ...]:
    return (
        instance.against,
        instance.contended,
        instance.contender,
        instance.found.object_index,
        instance.found.predicted_iou,
    )
