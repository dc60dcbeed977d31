"""Images read back, their masks made finer on the way, in a few processes and in the same order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from uuid import UUID

from maskpool.errors import ConfigError, Unreachable
from maskpool.fineness import Fineness
from maskpool.settings import Settings
from producer import child_settings
from producer.refining.cells import cell_of
from producer.refining.work import Answer, Asked, prepare, refine_image
from producer.results.finer import FinerMasks, Unseen
from producer.results.records import ImageResult, ImageStream, Origin

#: Images in work, for each process: one in hand, and some that wait.
_AHEAD = 4

#: How often an image is tried alone that was in work when a process ended.
_TRIES = 2

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
        granted: Hosts to which an image of each batch may be led; see ``Fetcher``.
        processes: How many work.
        left: Images that are to come, at most: what is estimated.
        say: Takes one sentence: how many masks there are, and how long they take.
    """

    def __init__(
        self,
        images: ImageStream,
        fineness: Fineness,
        settings: Settings,
        granted: Mapping[UUID, Collection[str] | None],
        *,
        processes: int,
        left: int,
        say: Callable[[str], None],
    ) -> None:
        self._images = images
        self._fineness = fineness
        self._settings = settings
        self._granted = granted
        self._processes = processes
        self._estimate = _Estimate(fineness, processes, left, say)
        self._fingerprint = images.fingerprint

    @property
    def fingerprint(self) -> str:
        """Of the images that came out, not of those that were read ahead."""
        return self._fingerprint

    def __iter__(self) -> Iterator[ImageResult]:
        children = _Children(self._settings, self._granted, self._processes)
        try:
            yield from self._refined(children)
        finally:
            children.close()

    def _refined(self, children: _Children) -> Iterator[ImageResult]:
        waiting: deque[_Waiting] = deque()
        for image in self._images:
            asked = asked_of(image, self._fineness, self._settings)
            waiting.append(_Waiting(image, self._images.fingerprint, asked, children.submit(asked)))
            if len(waiting) >= _AHEAD * self._processes:
                yield self._next(waiting, children)
        while waiting:
            yield self._next(waiting, children)

    def _next(self, waiting: deque[_Waiting], children: _Children) -> ImageResult:
        first = waiting.popleft()
        answer = _answer(first, waiting, children)
        self._fingerprint = first.fingerprint
        self._estimate.note(answer)
        return finer_image(first.image, answer)


@dataclass(slots=True)
class _Waiting:
    """An image in work."""

    image: ImageResult
    fingerprint: str
    asked: Asked
    answer: Future[Answer]


class _Children:
    """The processes; all are started again where one of them ended."""

    def __init__(
        self, settings: Settings, granted: Mapping[UUID, Collection[str] | None], processes: int
    ) -> None:
        self._told = child_settings.told(settings), granted, settings.picture_megabytes
        self._processes = processes
        self._pool = self._started()

    def submit(self, asked: Asked) -> Future[Answer]:
        """Have masks made finer; where the processes have ended, that is what comes of it."""
        try:
            return self._pool.submit(refine_image, asked)
        except BrokenProcessPool as error:
            lost: Future[Answer] = Future()
            lost.set_exception(error)
            return lost

    def restart(self) -> None:
        """Start them again."""
        self.close()
        self._pool = self._started()

    def close(self) -> None:
        """End them."""
        self._pool.shutdown(cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # Not forked: this process has threads that read masks ahead.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._processes, spawn, prepare, self._told)


def _answer(first: _Waiting, others: Iterable[_Waiting], children: _Children) -> Answer:
    """What became of an image; one whose process ended is made again, alone."""
    try:
        return _made(first.image, first.answer)
    except BrokenProcessPool:
        pass
    for _ in range(_TRIES):
        children.restart()
        try:
            answer = _made(first.image, children.submit(first.asked))
        except BrokenProcessPool:
            continue
        for one in others:
            if one.answer.done() and isinstance(one.answer.exception(), BrokenProcessPool):
                one.answer = children.submit(one.asked)
        return answer
    raise Unreachable(
        "a process that makes masks finer",
        f"it ended each time at {first.image.name}; is there too little memory?",
    )


def _made(image: ImageResult, answer: Future[Answer]) -> Answer:
    try:
        return answer.result()
    except ConfigError as error:
        sentence = f"{image.name}: {error}"
        raise ConfigError(sentence, code=error.code, params=error.params) from None


def asked_of(image: ImageResult, fineness: Fineness, settings: Settings) -> Asked:
    """An image's masks, to be made finer.

    Raises:
        ValueError: Whoever read it did not keep where it is from.
    """
    origin = origin_of(image)
    size = image.height, image.width
    return Asked(
        tuple(one.instance.found.mask for one in image.instances),
        fineness,
        tuple(cell_of(drawn, size, settings) for drawn in image.drawn),
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


def finer_image(image: ImageResult, answer: Answer) -> ImageResult:
    """An image with its finer masks, and with their areas and boxes."""
    instances = tuple(
        one if made.taken is Fineness.NONE else one.with_mask(made.mask, made.area, made.box)
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
