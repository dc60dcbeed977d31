"""Images read back, their masks made finer on the way, in a few processes and in the same order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from maskpool.errors import SpecError, Unreachable
from maskpool.fineness import Fineness
from maskpool.model_aliases import MAP_CELLS
from maskpool.settings import Settings
from producer import child_settings
from producer.refining.work import Answer, Asked, prepare, refine_image
from producer.results.finer import FinerMasks, Unseen
from producer.results.records import ImageResult, ImageStream, Origin

#: Images in work, for each process: one in hand, and some that wait.
_AHEAD = 4

#: Masks that must be finished before anything is said of how long the others take.
_MEASURED_MASKS = 100

#: Images likewise, where they have few masks.
_MEASURED_IMAGES = 50


class FinerImages:
    """A stream of images with finer masks; see ``ImageStream``.

    Args:
        images: With their masks as they are stored, and where they are from.
        fineness: What is asked; not ``none``.
        settings: Of the pool.
        processes: How many work.
        left: Images that are to come, at most: what is estimated.
        say: Takes one sentence: how many masks there are, and how long they take.
    """

    def __init__(
        self,
        images: ImageStream,
        fineness: Fineness,
        settings: Settings,
        *,
        processes: int,
        left: int,
        say: Callable[[str], None],
    ) -> None:
        self._images = images
        self._fineness = fineness
        self._settings = settings
        self._processes = processes
        self._estimate = _Estimate(fineness, processes, left, say)
        self._fingerprint = images.fingerprint

    @property
    def fingerprint(self) -> str:
        """Of the images that came out, not of those that were read ahead."""
        return self._fingerprint

    def __iter__(self) -> Iterator[ImageResult]:
        pool = ProcessPoolExecutor(
            self._processes,
            # Not forked: this process has threads that read masks ahead.
            multiprocessing.get_context("spawn"),
            prepare,
            (child_settings.told(self._settings),),
        )
        try:
            yield from self._refined(pool)
        except BrokenProcessPool:
            raise Unreachable(
                "a process that makes masks finer", "it ended at once; is there too little memory?"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)

    def _refined(self, pool: ProcessPoolExecutor) -> Iterator[ImageResult]:
        waiting: deque[tuple[ImageResult, str, Future[Answer]]] = deque()
        for image in self._images:
            asked = pool.submit(refine_image, self._asked(image))
            waiting.append((image, self._images.fingerprint, asked))
            if len(waiting) >= _AHEAD * self._processes:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: deque[tuple[ImageResult, str, Future[Answer]]]) -> ImageResult:
        image, fingerprint, asked = waiting.popleft()
        answer = asked.result()
        self._fingerprint = fingerprint
        self._estimate.note(answer)
        return finer_image(image, answer)

    def _asked(self, image: ImageResult) -> Asked:
        origin = origin_of(image)
        return Asked(
            tuple(one.instance.found.mask for one in image.instances),
            self._fineness,
            cell_of(image, self._settings),
            image.uri,
            origin.batch_id,
            origin.image_sha256,
        )


def origin_of(image: ImageResult) -> Origin:
    """Where an image's masks are from.

    Raises:
        ValueError: Whoever read it did not keep that.
    """
    if image.origin is None:
        msg = f"{image.name} was read without its origin"
        raise ValueError(msg)
    return image.origin


def cell_of(image: ImageResult, settings: Settings) -> tuple[float, float]:
    """Height and width in pixels of a cell of the map that a model drew an image's masks on.

    Maps are square, whatever the image's shape. Where the image was looked at in tiles, a tile's
    counts: most of its masks are from there. A model whose alias is not known here any more is
    taken to draw maps as SAM3 does.
    """
    try:
        cells = settings.alias(origin_of(image).model).cells
    except SpecError:
        cells = MAP_CELLS
    height, width = image.height, image.width
    if image.tiled is not None and image.tiled.count:
        height, width = min(height, image.tiled.side), min(width, image.tiled.side)
    return height / cells, width / cells


def finer_image(image: ImageResult, answer: Answer) -> ImageResult:
    """An image with its finer masks, and with their areas and boxes."""
    instances = tuple(
        replace(
            one,
            instance=replace(
                one.instance,
                area=made.area,
                found=replace(one.instance.found, mask=made.mask, box_xyxy=made.box),
            ),
        )
        if made.taken is not Fineness.NONE
        else one
        for one, made in zip(image.instances, answer.masks, strict=True)
    )
    unseen = Unseen(image.name, answer.unseen) if answer.unseen else None
    # A mask without a pixel is no mask: nothing was to be taken.
    taken = [made.taken for made in answer.masks if made.area]
    return replace(image, instances=instances, finer=FinerMasks.of(taken, unseen))


class _Estimate:
    """Says once how long it will take, when enough masks were measured."""

    def __init__(
        self, fineness: Fineness, processes: int, left: int, say: Callable[[str], None]
    ) -> None:
        self._fineness, self._processes, self._left, self._say = fineness, processes, left, say
        self._images = self._masks = 0
        self._seconds = 0.0
        self._said = False

    def note(self, answer: Answer) -> None:
        """One more image is finished."""
        self._images += 1
        self._masks += len(answer.masks)
        self._seconds += answer.seconds
        enough = self._masks >= _MEASURED_MASKS or self._images >= _MEASURED_IMAGES
        if self._said or not (enough or self._images >= self._left) or not self._masks:
            return
        self._said = True
        share = self._left / self._images
        self._say(
            f"making about {self._masks * share:,.0f} masks of {self._left:,} images "
            f"{self._fineness.value}: {1000 * self._seconds / self._masks:,.1f} ms each, measured "
            f"on the first {self._masks:,}; about "
            f"{_duration(self._seconds * share / self._processes)} in {self._processes} processes"
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
