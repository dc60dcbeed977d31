"""Whose turn it is: a pure function from candidates to claims.

Virtual-time scheduling: each owner's clock advances by the GPU-seconds they were given, divided by
their weight; whoever's clock is furthest behind is next. Among an owner's batches the same again,
with the priority as weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.chunks.claim import Candidate
from db.workers import Pool
from maskpool.domain import MAX_CHUNK, Klass

#: Seconds of work a chunk aims at: small against a lease, large against a message.
_CHUNK_SECONDS = 2.0

#: Chunk size until a worker has measured itself, and the least of a large batch's tail.
_SMALL_CHUNK = 4

#: GPU-seconds an image until anything is measured.
_IMAGE_SECONDS = 0.1

#: Interactive chunks open at once for each worker; keeps a huge interactive batch from flooding.
_NOW_CHUNKS_PER_WORKER = 16


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim up to ``chunks`` chunks of up to ``size`` jobs from a batch."""

    candidate: Candidate
    chunks: int
    size: int
    image_seconds: float


def plan(
    candidates: Sequence[Candidate],
    pools: Mapping[str, Pool],
    open_chunks: Mapping[tuple[str, Klass], int],
) -> list[Claim]:
    """What to claim now: interactive batches first, then bulk within each model's window.

    Args:
        candidates: Batches with something to claim.
        pools: The living workers by model; a model without any gets nothing.
        open_chunks: Chunks that are queued or running, by model and class.
    """
    claims: list[Claim] = []
    for model, pool in pools.items():
        rooms = {
            Klass.NOW: _NOW_CHUNKS_PER_WORKER * pool.workers,
            Klass.BULK: pool.bulk_window,
        }
        for klass, most in rooms.items():
            mine = [c for c in candidates if c.model == model and c.klass == klass]
            room = most - open_chunks.get((model, klass), 0)
            claims += _share(mine, pool, room)
    return claims


def _share(candidates: Sequence[Candidate], pool: Pool, room: int) -> list[Claim]:
    """Give ``room`` chunks away one by one, each to whoever is furthest behind."""
    turns = [_Turn(candidate, pool) for candidate in candidates]
    owner_times = {turn.candidate.owner_id: turn.candidate.owner_time for turn in turns}
    for _ in range(room):
        waiting = [turn for turn in turns if turn.left > 0]
        if not waiting:
            break
        turn = min(
            waiting,
            # The smaller first where clocks are equal, as they are when one has just come.
            key=lambda turn: (owner_times[turn.candidate.owner_id], turn.time, turn.left),
        )
        seconds = turn.give_chunk()
        owner_times[turn.candidate.owner_id] += seconds / turn.candidate.owner_weight
    return [turn.claim() for turn in turns if turn.chunks]


class _Turn:
    """One batch while chunks are given away."""

    def __init__(self, candidate: Candidate, pool: Pool) -> None:
        self.candidate = candidate
        self.time = candidate.batch_time
        self.left = candidate.fresh + candidate.due
        self.chunks = 0
        self.size = chunk_size(pool, self.left)
        # By the mean, not the slowest: who comes meanwhile starts at the clocks as they are, and
        # would stand behind whoever was charged too much, once that is corrected.
        self.image_seconds = candidate.seconds_per_image or (
            1 / pool.mean_images_per_s if pool.mean_images_per_s else _IMAGE_SECONDS
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


def chunk_size(pool: Pool, left: int) -> int:
    """Jobs a chunk: two seconds of the slowest worker, and no more than shares out what is left."""
    if pool.images_per_s is None:
        size = _SMALL_CHUNK
    else:
        size = int(min(MAX_CHUNK, max(1.0, _CHUNK_SECONDS * pool.images_per_s)))
    fair = math.ceil(left / max(1, pool.bulk_window))
    return min(size, max(fair, min(_SMALL_CHUNK, size)))
