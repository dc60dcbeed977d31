"""What became of an image, and how its job's row ends or comes back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from db.chunks import JobEnd
from maskpool import rle
from maskpool.domain import (
    MAX_ATTEMPTS,
    Found,
    Instance,
    Job,
    JobFailure,
    JobResult,
    JobState,
)
from maskpool.errors import MaskpoolError
from storage.objects import masks

#: Rest before a job's second attempt, and how much longer each further one is. A blip costs little,
#: and whatever holds the images may be away for minutes (2 + 10 + 50 + 250 s) before one is FAILED.
_RETRY_SECONDS = 2.0
_RETRY_GROWTH = 5.0

#: Rest of a job that the store's outage kept from its end.
_OUTAGE_SECONDS = 30.0

#: Characters of an error that a job's row keeps.
_ERROR = 4_000


@dataclass(frozen=True, slots=True)
class Annotated:
    """A job with a result that is not stored yet."""

    result: JobResult
    gpu_seconds: float


@dataclass(frozen=True, slots=True)
class Outage:
    """A job that came to nothing because the store is away: no image's fault, so uncharged."""

    error: str


#: None: not begun, because the chunk should stop.
Outcome = Annotated | Outage | JobFailure | None


def relate(found: Sequence[Found], clip_scores: dict[int, float]) -> list[Instance]:
    """Say of each mask how much it overlaps a better one of its prompt.

    Args:
        found: By prompt and then by falling score, as a segmenter returns it.
        clip_scores: CLIP's verdict by place in ``found``, where there is one.
    """
    instances = []
    runs = [rle.to_runs(one.mask) for one in found]
    by_prompt: dict[int, list[int]] = {}
    for place, one in enumerate(found):
        by_prompt.setdefault(one.prompt_index, []).append(place)
    overlap: dict[int, float] = {}
    for places in by_prompt.values():
        values = rle.overlaps([runs[place] for place in places])
        overlap |= dict(zip(places, values, strict=True))
    for place, one in enumerate(found):
        instances.append(
            Instance(one, runs[place].area, single(overlap[place]), clip_scores.get(place))
        )
    return instances


def single(value: float) -> float:
    """As the row keeps it, so that a threshold cuts rows and objects at the same place."""
    return float(np.float32(value))


def end_of(job: Job, outcome: Outcome, content: masks.ChunkObject | None = None) -> JobEnd:
    """How a job's row ends, or comes back."""
    match outcome:
        case None:
            return JobEnd(job.seq, JobState.RETRY, attempts=job.attempts)
        case Outage(error=error):
            return _come_back(job, job.attempts, _OUTAGE_SECONDS, error)
        case JobFailure(transient=True):
            return _try_again(job, outcome.error)
        case JobFailure():
            return JobEnd(
                job.seq, JobState.FAILED, attempts=job.attempts, error=outcome.error[:_ERROR]
            )
        case Annotated(result=result):
            if content is None:
                msg = "a job cannot be DONE before its masks are stored"
                raise MaskpoolError(msg)
            offset, length = content.spans[job.seq]
            return JobEnd(
                job.seq,
                JobState.DONE,
                attempts=job.attempts,
                masks_key=content.masks_key,
                masks_offset=offset,
                masks_length=length,
                width=result.width,
                height=result.height,
                instances=result.instances,
            )


def _try_again(job: Job, error: str) -> JobEnd:
    attempts = job.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        sentence = f"gave up after {attempts} attempts; the last one: {error[:_ERROR]}"
        return JobEnd(job.seq, JobState.FAILED, attempts=attempts, error=sentence)
    return _come_back(job, attempts, _RETRY_SECONDS * _RETRY_GROWTH ** (attempts - 1), error)


def _come_back(job: Job, attempts: int, rest: float, error: str) -> JobEnd:
    delay = rest * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
    return JobEnd(
        job.seq,
        JobState.RETRY,
        attempts=attempts,
        delay_ms=round(delay * 1000),
        error=error[:_ERROR],
    )
