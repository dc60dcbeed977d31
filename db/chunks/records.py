"""What a worker takes out of the rows, and what it brings back, whichever the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from maskpool.domain import Instance, Job, JobState

#: As ``instance_values`` has them.
INSTANCE_COLUMNS = (
    *("batch_id", "seq", "ordinal", "prompt_index"),
    *("x", "y", "w", "h", "area"),
    *("score", "overlap", "clip_score"),
)


@dataclass(frozen=True, slots=True)
class TakenChunk:
    """What a worker holds: the jobs, and the batch's spec as stored."""

    batch_id: UUID
    chunk_id: UUID
    spec: dict[str, Any]
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How one job leaves a chunk.

    Attributes:
        seq: Which job.
        state: DONE, FAILED, or RETRY.
        attempts: Transient errors so far.
        delay_ms: In RETRY: how long it rests before it may be claimed again.
    """

    seq: int
    state: JobState
    attempts: int = 0
    delay_ms: int = 0
    masks_key: str | None = None
    masks_offset: int | None = None
    masks_length: int | None = None
    width: int | None = None
    height: int | None = None
    error: str | None = None
    instances: tuple[Instance, ...] = field(default=(), repr=False)


def counts(ends: Sequence[JobEnd]) -> tuple[int, int]:
    """How many are DONE and how many FAILED."""
    states = [end.state for end in ends]
    return states.count(JobState.DONE), states.count(JobState.FAILED)


def storable(sentence: str | None) -> str | None:
    """Postgres stores neither NUL nor lone surrogates, and an error may quote anything."""
    if sentence is None:
        return None
    return sentence.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def instance_values(batch_id: UUID, ends: Sequence[JobEnd]) -> Iterator[tuple[Any, ...]]:
    """The rows of all instances, in the order of ``INSTANCE_COLUMNS``."""
    for end in ends:
        for ordinal, instance in enumerate(end.instances):
            x0, y0, x1, y1 = instance.found.box_xyxy
            yield (
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
