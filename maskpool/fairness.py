"""Whose turn it is, and what a chunk costs: pure functions, numbers in and a plan out.

Virtual-time scheduling: each owner's clock advances by the GPU-seconds they were given, divided by
their weight; whoever's clock is furthest behind is next. Among an owner's batches the same again,
with the priority as weight. The statements that move these clocks are in ``db.turns``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from maskpool.domain import MAX_CHUNK, Klass, Priority

#: Seconds of work in a chunk: short beside a lease, long beside the cost of a message.
_CHUNK_SECONDS = 2.0

#: Jobs a chunk until a worker has measured its speed, and at least at the end of a large batch.
_SMALL_CHUNK = 4

#: Estimated GPU-seconds an image while nothing is measured.
_IMAGE_SECONDS = 0.1

#: Interactive chunks that may be open at once for each worker: a huge interactive batch must not
#: fill the queue.
_NOW_CHUNKS_PER_WORKER = 16

#: Bulk chunks that a worker with the default number of threads runs side by side.
_CHUNKS_SIDE_BY_SIDE = 2

#: A chunk that was open for longer was held up by an outage of the pool, which no owner pays for.
_MAX_HELD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ACTIVE batch with jobs to claim, and the clocks that decide whose turn it is.

    Attributes:
        owner_time: The owner's clock, in weighted GPU-seconds.
        owner_weight: The owner's share relative to other owners.
        batch_time: The batch's clock among those of its owner, in weighted GPU-seconds.
        next_seq: The first job that was never claimed.
        fresh: Jobs from there on.
        due: Jobs in RETRY whose time has come.
        seconds_per_image: GPU-seconds an image of this batch took so far; None before the first.
        tiled: Whether its images may be cut into tiles, of which one image has up to thousands.
    """

    batch_id: UUID
    owner_id: int
    model: str
    klass: Klass
    priority: Priority
    owner_time: float
    owner_weight: float
    batch_time: float
    next_seq: int
    fresh: int
    due: int
    seconds_per_image: float | None
    tiled: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """The living workers of one model.

    Attributes:
        workers: How many.
        bulk_window: Bulk chunks that may be open at once: every thread but one of each worker.
        images_per_s: Of the slowest; None until one has measured itself.
        mean_images_per_s: Of those that have measured themselves; None before the first.
    """

    workers: int
    bulk_window: int
    images_per_s: float | None
    mean_images_per_s: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim up to ``chunks`` chunks of up to ``size`` jobs from a batch."""

    candidate: Candidate
    chunks: int
    size: int
    image_seconds: float


def plan(
    candidates: Sequence[Candidate],
    fleets: Mapping[str, Fleet],
    open_chunks: Mapping[tuple[str, Klass], int],
) -> list[Claim]:
    """What to claim now: interactive batches first, then bulk within each model's window.

    Args:
        candidates: Batches with something to claim.
        fleets: The living workers by model; a model without any gets nothing.
        open_chunks: Chunks that are queued or running, by model and class.
    """
    claims: list[Claim] = []
    for model, fleet in fleets.items():
        windows = {
            Klass.NOW: _NOW_CHUNKS_PER_WORKER * fleet.workers,
            Klass.BULK: fleet.bulk_window,
        }
        for klass, window in windows.items():
            mine = [c for c in candidates if c.model == model and c.klass == klass]
            room = window - open_chunks.get((model, klass), 0)
            claims += _share(mine, fleet, room)
    return claims


def _share(candidates: Sequence[Candidate], fleet: Fleet, room: int) -> list[Claim]:
    """Give out ``room`` chunks one by one, each to the owner whose clock is furthest behind."""
    turns = [_Turn(candidate, fleet) for candidate in candidates]
    owner_times = {turn.candidate.owner_id: turn.candidate.owner_time for turn in turns}
    for _ in range(room):
        waiting = [turn for turn in turns if turn.left > 0]
        if not waiting:
            break
        turn = min(
            waiting,
            # Clocks are equal when an owner has just come; then the smaller batch goes first.
            key=lambda turn: (owner_times[turn.candidate.owner_id], turn.time, turn.left),
        )
        seconds = turn.give_chunk()
        owner_times[turn.candidate.owner_id] += seconds / turn.candidate.owner_weight
    return [turn.claim() for turn in turns if turn.chunks]


class _Turn:
    """One batch while chunks are given out."""

    def __init__(self, candidate: Candidate, fleet: Fleet) -> None:
        self.candidate = candidate
        self.time = candidate.batch_time
        self.left = candidate.fresh + candidate.due
        self.chunks = 0
        self.size = chunk_size(fleet, self.left)
        if candidate.tiled:
            self.size = min(self.size, _tiled_size(candidate.seconds_per_image))
        # The mean of the workers, not the slowest: an owner who comes now starts at the present
        # clocks, and would wait for those that were charged too much until that is corrected.
        self.image_seconds = candidate.seconds_per_image or (
            1 / fleet.mean_images_per_s if fleet.mean_images_per_s else _IMAGE_SECONDS
        )

    def give_chunk(self) -> float:
        """Take one chunk; returns the GPU-seconds it is estimated at."""
        images = min(self.size, self.left)
        seconds = images * self.image_seconds
        self.left -= images
        self.chunks += 1
        self.time += seconds / self.candidate.priority.weight
        return seconds

    def claim(self) -> Claim:
        return Claim(self.candidate, self.chunks, self.size, self.image_seconds)


def chunk_size(fleet: Fleet, left: int) -> int:
    """Jobs a chunk: two seconds of the slowest worker, at most an equal share of what is left."""
    if fleet.images_per_s is None:
        size = _SMALL_CHUNK
    else:
        size = int(min(MAX_CHUNK, max(1.0, _CHUNK_SECONDS * fleet.images_per_s)))
    fair = math.ceil(left / max(1, fleet.bulk_window))
    return min(size, max(fair, min(_SMALL_CHUNK, size)))


def _tiled_size(image_seconds: float | None) -> int:
    """Jobs a chunk by the batch's own images, of which workers' speed in views says nothing."""
    return 1 if not image_seconds else int(min(MAX_CHUNK, max(1.0, _CHUNK_SECONDS / image_seconds)))


def cost(*, size: int, done: int, spent: float, charged: float, held: float) -> float:
    """GPU-seconds by which the clocks of owner and batch advance for a chunk that was finished.

    Images with a result cost what the device needed for them. Images without one – they cannot be
    read, or their host does not answer – used no device time, but kept a place in the pool's window
    from others. If they were free, a batch of unreadable images could keep all places for as long
    as it lasts. So they cost the estimate at the claim, or the worker's time that the place was
    kept for, whichever is more.

    Args:
        size: Jobs in the chunk.
        done: Those with a result.
        spent: The device's seconds.
        charged: GPU-seconds as estimated at the claim.
        held: Seconds from the claim until now.
    """
    place = max(charged, min(held, _MAX_HELD_SECONDS) / _CHUNKS_SIDE_BY_SIDE)
    without_result = (size - done) / size
    return max(spent, min(place, spent + without_result * place))
