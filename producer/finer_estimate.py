"""How long it would take to make the masks of some batches finer: measured on some of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from db.granted_hosts import GrantedHosts
from maskpool.fineness import Fineness
from maskpool.text import counted
from producer.finer import cores
from producer.pool import Pool
from producer.results import reader
from producer.results.reader import BatchView
from producer.results.records import ImageResult
from storage.images.fetch import Fetcher

#: Images that are measured in one place of the batches, and masks of an image.
_IMAGES, _MASKS = 8, 16

#: Images that are passed over at most to a place that is measured: their rows are read for it.
_REACH = 20_000

#: CPU seconds after which one image of each place that is left is enough.
_ENOUGH = 3.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be expected.

    Attributes:
        fineness: What is asked.
        images: That are to come, at most.
        masks: Of them, about.
        core_seconds: CPU seconds that they take, about.
        processes: That would share the work.
        measured: Masks that were made finer for it.
    """

    fineness: Fineness
    images: int
    masks: int
    core_seconds: float
    processes: int
    measured: int

    @property
    def seconds(self) -> float:
        """Until it is done, if these cores have nothing else to do."""
        return self.core_seconds / self.processes

    @property
    def sentence(self) -> str:
        """What a user is told."""
        minutes = self.core_seconds / 60
        took = f"{minutes:,.0f} core-minutes" if minutes >= 10 else f"{minutes:,.1f} core-minutes"
        return (
            f"estimate: {counted(self.images, 'image')}, about {counted(self.masks, 'mask')}, "
            f"about {took} to make them {self.fineness} (in {self.processes} processes "
            f"{self.seconds / 60:,.1f} min), measured on {self.measured:,} of them"
        )


def estimated(
    pool: Pool,
    views: Sequence[BatchView],
    fineness: Fineness,
    *,
    images: int,
    processes: int = 0,
) -> Estimate:
    """Make some masks finer, throw them away, and say how long all of them would take.

    Args:
        pool: Where the batches are.
        views: The batches, as they are read.
        fineness: What is asked; not ``none``.
        images: That are to come, at most.
        processes: That would share the work; 0: one for each core.

    Raises:
        CorruptObject: A mask object is damaged or gone.
        Unreachable: Database or store is away.
    """
    sample = _Sample(pool, fineness)
    last = min(max(images - _IMAGES, 0), _REACH)
    for skip in sorted({0, last // 2, last}):
        stream = reader.read_images(pool.database, pool.store(), views, skip)
        for image in islice(stream, _IMAGES):
            sample.take(image)
            if sample.seconds >= _ENOUGH:
                break
    share = images / max(sample.images, 1)
    return Estimate(
        fineness=fineness,
        images=images,
        masks=round(sample.masks * share),
        core_seconds=sample.expected * share,
        processes=processes or max(1, min(cores(), images)),
        measured=sample.measured,
    )


class _Sample:
    """Images that were measured.

    Attributes:
        images: How many.
        masks: All of theirs.
        measured: Those that were made finer.
        seconds: CPU seconds that this took.
        expected: CPU seconds that all of their masks would take.
    """

    def __init__(self, pool: Pool, fineness: Fineness) -> None:
        self._pool = pool
        self._fineness = fineness
        self._fetcher = Fetcher(pool.store(), pool.settings, GrantedHosts(pool.database))
        self.images = self.masks = self.measured = 0
        self.seconds = self.expected = 0.0

    def take(self, image: ImageResult) -> None:
        """Measure one image."""
        from producer.refining import refine  # noqa: PLC0415 - takes Pillow
        from producer.refining.stream import asked_of  # noqa: PLC0415 - as above
        from producer.refining.work import seen  # noqa: PLC0415 - as above

        asked = asked_of(image, self._fineness, self._pool.settings)
        some = list(zip(asked.masks, asked.cells, strict=True))[:_MASKS]
        picture, began = None, time.process_time()
        if self._fineness is Fineness.HIGH and some:
            picture, _ = seen(asked, self._fetcher)
        opened = time.process_time()
        for mask, cell in some:
            refine(mask, self._fineness, cell, picture)
        ended = time.process_time()
        self.images += 1
        self.masks += len(asked.masks)
        self.measured += len(some)
        self.seconds += ended - began
        self.expected += opened - began + (ended - opened) * len(asked.masks) / max(len(some), 1)
