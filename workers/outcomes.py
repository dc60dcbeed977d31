"""What became of an image, and how its job's row ends or comes back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from db.chunks import Done, Failed, JobEnd, Returned
from maskpool.domain import Job, JobFailure, JobResult
from maskpool.errors import Permanent, Transient
from storage.objects.masks import ChunkObject

#: Seconds that a job rests before its second attempt, its third and so on; give or take a half.
#: So a short fault costs little, and a host of images may be away for minutes before one is FAILED.
_RESTS = (2.0, 10.0, 50.0, 250.0)

#: The same where the host is there and its answer breaks off: an image that does so each time holds
#: up its batch for half a minute, not for five.
_RESTS_BROKEN_OFF = (2.0, 10.0, 20.0)

#: Seconds that a job rests after an outage of the pool's own store.
_OUTAGE_SECONDS = 30.0

#: Seconds that a job rests which this worker cannot do: time for another one to come by it.
_UNABLE_SECONDS = 30.0

#: Characters of an error that a job's row keeps.
_MAX_ERROR_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Annotated:
    """A job with a result that is not stored yet."""

    result: JobResult


@dataclass(frozen=True, slots=True)
class Outage:
    """A job without a result because the pool's store is away: no image's fault, so uncharged."""

    error: str


@dataclass(frozen=True, slots=True)
class Unable:
    """A job that asks for what this worker cannot do: another one may, so uncharged."""

    error: str


#: Why a job has no result; None where it was not begun, because the chunk should stop.
NoResult = Outage | Unable | JobFailure | None

Outcome = Annotated | NoResult


def done(job: Job, result: JobResult, content: ChunkObject) -> Done:
    """The end of a job whose masks are stored in a chunk's object."""
    offset, length = content.spans[job.seq]
    return Done(
        job.seq,
        attempts=job.attempts,
        masks_key=content.masks_key,
        masks_offset=offset,
        masks_length=length,
        width=result.width,
        height=result.height,
        instances=result.instances,
    )


def not_stored(job: Job, error: Transient | Permanent) -> Outage | JobFailure:
    """What a result comes to whose masks could not be stored."""
    reason = f"its masks could not be stored: {error}"
    if isinstance(error, Transient):
        return Outage(reason)
    return JobFailure(job.seq, reason, transient=True)


def end_of(job: Job, outcome: NoResult) -> JobEnd:
    """How the row of a job without a result ends, or comes back."""
    match outcome:
        case None:
            return Returned(job.seq, job.attempts)
        case Outage(error=error):
            return _return(job, job.attempts, _OUTAGE_SECONDS, error)
        case Unable(error=error):
            return _return(job, job.attempts, _UNABLE_SECONDS, error)
        case JobFailure(transient=True):
            rests = _RESTS_BROKEN_OFF if outcome.broken_off else _RESTS
            return _try_again(job, outcome.error, rests)
        case JobFailure():
            return Failed(job.seq, outcome.error[:_MAX_ERROR_CHARS], job.attempts)


def _try_again(job: Job, error: str, rests: Sequence[float]) -> JobEnd:
    attempts = job.attempts + 1
    if attempts > len(rests):
        last = error[:_MAX_ERROR_CHARS]
        return Failed(job.seq, f"gave up after {attempts} attempts; the last one: {last}", attempts)
    return _return(job, attempts, rests[attempts - 1], error)


def _return(job: Job, attempts: int, rest_seconds: float, error: str) -> Returned:
    delay = rest_seconds * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
    return Returned(job.seq, attempts, round(delay * 1000), error[:_MAX_ERROR_CHARS])
