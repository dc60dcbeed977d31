"""One thread owns the device: it micro-batches images from the chunks in flight.

torch-free on purpose: what counts as "out of memory" or "device lost" is injected, so that the
rules here are tested with segmenters that take milliseconds.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from maskpool.domain import Found, Klass
from maskpool.errors import Transient
from maskpool.ports import Image, Scorer, Segmenter
from workers.engine.pace import Limit, Rate

_CLOSED = "the engine was closed before this was looked at; it will be tried again"


@dataclass(frozen=True, slots=True)
class Segmented:
    """What was found in one image, and the image's share of the device's time."""

    #: By prompt and then by falling score.
    found: list[Found]
    #: Busy seconds of its micro-batch over the images in it.
    seconds: float


@dataclass(frozen=True, slots=True)
class Scored:
    """CLIP's opinion on some crops, and the device time it took."""

    #: Scaled cosine similarities, float32 (crops, texts).
    similarities: npt.NDArray[np.float32]
    #: Busy seconds.
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _ImageWork:
    prepared: Any
    prompts: tuple[str, ...]
    #: Of the image as it was: its submitter holds it while it waits.
    nbytes: int
    future: Future[Segmented] = field(default_factory=Future)


@dataclass(frozen=True, slots=True, eq=False)
class _CropWork:
    crops: Sequence[Image]
    texts: tuple[str, ...]
    future: Future[Scored] = field(default_factory=Future)

    @property
    def nbytes(self) -> int:
        return sum(crop.nbytes for crop in self.crops)


_Work = _ImageWork | _CropWork


class Engine:
    """Runs every forward pass of a process on one thread.

    Thread-safe. What is submitted before ``start`` waits for it.

    Args:
        segmenter: Used from the engine's thread alone.
        scorer: Used from the engine's thread alone.
        prepare: Called with each image in its submitter's thread, ahead of need; the segmenter is
            given what it returns, or the image where there was no memory for that. Thread-safe.
        micro_batch: Most images in one call of the segmenter.
        max_waiting: Images of one class that may wait before ``submit`` blocks. 0: four
            micro-batches.
        max_waiting_bytes: Their pixels in bytes, likewise: decoded images are large.
        out_of_memory: Errors after which a smaller micro-batch may succeed.
        device_lost: Errors after which the device is of no use to this process.
        clock: Seconds, rising.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        scorer: Scorer,
        *,
        micro_batch: int,
        prepare: Callable[[Image], Any] = lambda image: image,
        max_waiting: int = 0,
        max_waiting_bytes: int = 1 << 30,
        out_of_memory: tuple[type[Exception], ...] = (MemoryError,),
        device_lost: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if micro_batch < 1:
            msg = f"a micro-batch holds at least one image, not {micro_batch}"
            raise ValueError(msg)
        self._segmenter = segmenter
        self._prepare = prepare
        self._scorer = scorer
        self._max_waiting = max_waiting or 4 * micro_batch
        self._max_waiting_bytes = max_waiting_bytes
        self._out_of_memory = out_of_memory
        self._device_lost = device_lost
        self._clock = clock
        self._waiting: dict[Klass, deque[_Work]] = {klass: deque() for klass in sorted(Klass)}
        self._changed = threading.Condition()
        self._closing = False
        self._lost: str | None = None
        self._ended = clock()
        self._limit = Limit(micro_batch)
        self._rate = Rate()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> Self:
        """Start the thread. May be called once."""
        self._thread.start()
        return self

    def close(self, *, drain: bool = True) -> None:
        """Stop: take nothing more, and end when the thread has ended.

        Args:
            drain: Finish what waits; False lets it fail with ``Transient``, after the micro-batch
                in hand. Without a started thread nothing can be finished, so it fails too.
        """
        with self._changed:
            self._closing = True
            left = [] if drain and self._thread.ident is not None else self._take_all()
            self._changed.notify_all()
        _fail(left, Transient(_CLOSED))
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close(drain=False)

    @property
    def healthy(self) -> bool:
        """False once the device is lost, or the engine: the process must be started again."""
        return self._lost is None

    @property
    def micro_batch(self) -> int:
        """Most images in one call at present: fewer after the device ran out of memory."""
        return self._limit.size

    @property
    def quiet_seconds(self) -> float:
        """Since a micro-batch last ended, well or not; since the start before the first."""
        return self._clock() - self._ended

    @property
    def waiting(self) -> int:
        """Images and scorings that no micro-batch has taken yet."""
        with self._changed:
            return sum(len(queue) for queue in self._waiting.values())

    @property
    def images_per_second(self) -> float | None:
        """Images a busy second, scoring included, lately; None before the first image."""
        return self._rate.value

    def submit(
        self, image: Image, prompts: Sequence[str], klass: Klass = Klass.BULK
    ) -> Future[Segmented]:
        """Have one image segmented; blocks while too many wait.

        A future that is cancelled before its micro-batch starts is never run.

        Args:
            image: RGB uint8 (height, width, 3).
            prompts: All texts to look for in it.
            klass: ``NOW`` goes before everything of class ``BULK``.

        Raises:
            Transient: The engine is closed, or the device is lost.
        """
        work = _ImageWork(self._prepared(image), tuple(prompts), image.nbytes)
        self._put(work, klass)
        return work.future

    def _prepared(self, image: Image) -> Any:  # noqa: ANN401 - between prepare and the segmenter
        self._require_open()
        try:
            return self._prepare(image)
        except self._out_of_memory:
            # The pass in work may have all there is; the engine's thread tries again behind it,
            # and makes room.
            return image
        except self._device_lost as error:
            raise self._lose(error) from None

    def score(
        self, crops: Sequence[Image], texts: Sequence[str], klass: Klass = Klass.BULK
    ) -> Future[Scored]:
        """Have crops compared with texts; blocks while too much waits.

        Args:
            crops: RGB uint8 arrays (height, width, 3); sizes may differ.
            texts: The texts each crop is compared with.
            klass: ``NOW`` goes before everything of class ``BULK``.

        Raises:
            Transient: The engine is closed, or the device is lost.
        """
        work = _CropWork(crops, tuple(texts))
        self._put(work, klass)
        return work.future

    def _put(self, work: _Work, klass: Klass) -> None:
        queue = self._waiting[klass]
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._lost or not self._full(queue))
            self._require_open()
            queue.append(work)
            self._changed.notify_all()

    def _require_open(self) -> None:
        if self._lost:
            raise Transient(self._lost)
        if self._closing:
            raise Transient(_CLOSED)

    def _full(self, queue: deque[_Work]) -> bool:
        return (
            len(queue) >= self._max_waiting
            or sum(work.nbytes for work in queue) >= self._max_waiting_bytes
        )

    def _run(self) -> None:
        reason = _CLOSED
        batch: list[_Work] = []
        try:
            while batch := self._next():
                self._work_on(batch)
                self._ended = self._clock()
                batch.clear()  # its images must not outlive it while nothing comes
        except BaseException as error:
            reason = self._lost = f"the engine failed, and its worker must restart: {error!r}"
            raise
        finally:
            # Whatever happened, nobody may wait for ever.
            with self._changed:
                self._closing = True
                left = [work for work in batch if not work.future.done()] + self._take_all()
                self._changed.notify_all()
            _fail(left, Transient(self._lost or reason))

    def _next(self) -> list[_Work]:
        """Wait for work and take a micro-batch of it; empty when closed and drained."""
        with self._changed:
            while True:
                self._changed.wait_for(
                    lambda: self._closing or self._lost or any(self._waiting.values())
                )
                if self._lost:
                    return []
                queue = next((queue for queue in self._waiting.values() if queue), None)
                if queue is None:
                    return []
                batch = [work for work in self._take(queue) if _begin(work)]
                self._changed.notify_all()
                if batch:
                    return batch

    def _take(self, queue: deque[_Work]) -> list[_Work]:
        """The oldest, and those behind it that ask the same of other images."""
        first = queue[0]
        if isinstance(first, _CropWork):
            return [queue.popleft()]
        taken = [
            work for work in queue if isinstance(work, _ImageWork) and work.prompts == first.prompts
        ][: self._limit.size]
        for work in taken:
            queue.remove(work)
        return list(taken)

    def _take_all(self) -> list[_Work]:
        left = [work for queue in self._waiting.values() for work in queue]
        for queue in self._waiting.values():
            queue.clear()
        return [work for work in left if _begin(work)]

    def _work_on(self, batch: list[_Work]) -> None:
        if isinstance(batch[0], _CropWork):
            self._score(batch[0])
            return
        parts = [[work for work in batch if isinstance(work, _ImageWork)]]
        while parts:
            parts = [*self._attempt(parts[0]), *parts[1:]]

    def _attempt(self, part: list[_ImageWork]) -> list[list[_ImageWork]]:
        """Settle the futures of ``part``, or return smaller parts that are to be tried instead."""
        if self._lost:
            _fail(part, Transient(self._lost))
            return []
        begun = self._clock()
        try:
            found = self._segmenter.segment([work.prepared for work in part], part[0].prompts)
            pairs = list(zip(part, found, strict=True))
        except Exception as error:  # noqa: BLE001 - goes to the future of whom it concerns
            failure = _without_frames(error)
        else:
            self._settle(pairs, self._clock() - begun)
            return []
        # Outside the except block: there the error's frames would keep the device's memory taken.
        return self._after(failure, part)

    def _settle(self, pairs: list[tuple[_ImageWork, list[Found]]], seconds: float) -> None:
        self._limit.succeeded()
        self._rate.add(len(pairs), seconds)
        for work, found in pairs:
            work.future.set_result(Segmented(found, seconds / len(pairs)))

    def _after(self, error: Exception, part: list[_ImageWork]) -> list[list[_ImageWork]]:
        if isinstance(error, self._out_of_memory):
            if len(part) > 1:
                self._limit.exceeded(len(part))
                middle = (len(part) + 1) // 2
                return [part[:middle], part[middle:]]
            error = Transient(f"the device has not enough memory for one image: {error}")
        elif isinstance(error, self._device_lost):
            error = self._lose(error)
        elif len(part) > 1:  # a bad image fails alone
            return [[work] for work in part]
        _fail(part, error)
        return []

    def _lose(self, error: Exception) -> Transient:
        with self._changed:
            self._lost = f"the device is lost to this worker, which must restart: {error}"
            self._changed.notify_all()
        return Transient(self._lost)

    def _score(self, work: _CropWork) -> None:
        begun = self._clock()
        try:
            similarities = self._scorer.similarities(work.crops, work.texts)
        except self._out_of_memory as error:
            short = Transient(f"the device has not enough memory for scoring: {error}")
            work.future.set_exception(short)
        except self._device_lost as error:
            work.future.set_exception(self._lose(error))
        except Exception as error:  # noqa: BLE001 - goes to the future of whom it concerns
            work.future.set_exception(error)
        else:
            seconds = self._clock() - begun
            self._rate.add(0, seconds)
            work.future.set_result(Scored(similarities, seconds))


def _begin(work: _Work) -> bool:
    """Whether the future is to be run: False where it was cancelled while it waited."""
    return work.future.set_running_or_notify_cancel()


def _fail(works: Sequence[_Work], error: Exception) -> None:
    for work in works:
        work.future.set_exception(error)


def _without_frames(error: Exception) -> Exception:
    """The same error, its traceback still printable, but its frames hold no tensor any more."""
    chained: BaseException | None = error
    while chained is not None:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__context__
    return error
