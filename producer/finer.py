"""Images of a pool read with finer masks, in a process for each core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from db import grants
from maskpool.fineness import Fineness
from producer.pool import Pool
from producer.results.records import ImageResult, ImageStream


def finer_stream(
    pool: Pool,
    images: ImageStream,
    batch_ids: Sequence[UUID],
    fineness: Fineness,
    *,
    left: int,
    processes: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> ImageStream:
    """Images with finer masks, in the same order; what is stored never changes.

    Args:
        pool: Where they are.
        images: With their masks as they are stored, and where they are from.
        batch_ids: Whose they are.
        fineness: What is asked; ``none`` gives the images as they are.
        left: Images that are to come, at most.
        processes: That work; 0: one for each core, and no more than there are images.
        say: Takes one sentence: how many masks there are, and how long they take.
    """
    if fineness is Fineness.NONE:
        return images
    from producer.refining.stream import FinerImages  # noqa: PLC0415 - takes Pillow

    with pool.database.read() as session:
        granted = {one: grants.hosts_of_batch(session, one) for one in batch_ids}
    return FinerImages(
        images,
        fineness,
        pool.settings,
        granted,
        processes=processes or max(1, min(cores(), left)),
        left=left,
        say=say,
    )


def finer_images(
    pool: Pool,
    images: Iterable[ImageResult],
    batch_ids: Sequence[UUID],
    fineness: Fineness,
    *,
    left: int,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[ImageResult]:
    """As ``finer_stream``, for whoever reads once and never goes on where it stopped."""
    return iter(finer_stream(pool, _Once(images), batch_ids, fineness, left=left, say=say))


@dataclass(frozen=True, slots=True)
class _Once:
    """Images that nobody goes on with."""

    images: Iterable[ImageResult]
    fingerprint: str = ""

    def __iter__(self) -> Iterator[ImageResult]:
        return iter(self.images)


def cores() -> int:
    """Those that this process may use."""
    # macOS does not say which.
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
