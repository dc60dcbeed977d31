"""One thread owns the device: it micro-batches images from the chunks in flight.

It does not know torch: what counts as "out of memory" or "device lost" is given to it, so that its
rules are tested with segmenters that take milliseconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Self

from maskpool.domain import Klass
from maskpool.errors import Transient
from maskpool.ports import Answer, Image, ObjectAsk, Prepared_co, Request, Scorer, Segmenter
from workers.engine.micro_batch import MicroBatchLimit, halves
from workers.engine.queues import Queues
from workers.engine.rate import Rate
from workers.engine.work import (
    CropWork,
    ImageWork,
    Scored,
    Work,
    answered,
    fail,
    settle,
    without_frames,
)

_CLOSED = "the engine was closed before this was looked at; it will be tried again"


class Engine(Generic[Prepared_co]):
    """Runs every forward pass of a process on one thread.

    Thread-safe. What is submitted before ``start`` waits for it.

    Args:
        segmenter: Used from the engine's thread alone.
        scorer: Used from the engine's thread alone.
        prepare: Called with each image in its submitter's thread, ahead of need; the segmenter is
            given what it returns, or the image where there was no memory for that. Thread-safe.
            None: the segmenter is given the images.
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
        segmenter: Segmenter[Prepared_co],
        scorer: Scorer,
        *,
        micro_batch: int,
        prepare: Callable[[Image], Prepared_co] | None = None,
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
        waiting = max_waiting or 4 * micro_batch
        self._queues: Queues[Prepared_co] = Queues(waiting, max_waiting_bytes)
        self._out_of_memory = out_of_memory
        self._device_lost = device_lost
        self._clock = clock
        self._changed = threading.Condition()
        self._closing = False
        self._lost: str | None = None
        self._ended = clock()
        self._limit = MicroBatchLimit(micro_batch)
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
            left = [] if drain and self._thread.ident is not None else self._queues.take_all()
            self._changed.notify_all()
        fail(left, Transient(_CLOSED))
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
    def images_per_second(self) -> float | None:
        """Images a busy second, scoring included, lately; None before the first image."""
        return self._rate.value

    def submit(
        self,
        image: Image,
        texts: Sequence[str],
        klass: Klass = Klass.BULK,
        *,
        stuff: Sequence[int] = (),
        objects: Sequence[ObjectAsk] = (),
    ) -> Future[Answer]:
        """Have one image segmented; blocks while too many wait.

        A future that is cancelled before its micro-batch starts is never run. An image of which
        nothing is asked is answered at once.

        Args:
            image: RGB uint8 (height, width, 3).
            texts: All texts to look for in it.
            klass: ``NOW`` goes before everything of class ``BULK``.
            stuff: As in ``Request``.
            objects: As in ``Request``.

        Raises:
            Transient: The engine is closed, or the device is lost.
        """
        self._require_open()
        if not texts and not objects:
            return answered(Answer([]))
        request = Request(self._prepared(image), tuple(texts), tuple(stuff), tuple(objects))
        work = ImageWork(request, image.nbytes)
        self._put(work, klass)
        return work.future

    def _prepared(self, image: Image) -> Prepared_co | Image:
        if self._prepare is None:
            return image
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
        work = CropWork(crops, tuple(texts))
        self._put(work, klass)
        return work.future

    def _put(self, work: Work[Prepared_co], klass: Klass) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._lost or not self._queues.full(klass)
            )
            self._require_open()
            self._queues.add(work, klass)
            self._changed.notify_all()

    def _require_open(self) -> None:
        if self._lost:
            raise Transient(self._lost)
        if self._closing:
            raise Transient(_CLOSED)

    def _run(self) -> None:
        reason = _CLOSED
        batch: list[Work[Prepared_co]] = []
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
                left = [work for work in batch if not work.future.done()] + self._queues.take_all()
                self._changed.notify_all()
            fail(left, Transient(self._lost or reason))

    def _next(self) -> list[Work[Prepared_co]]:
        """Wait for work and take a micro-batch of it; empty when closed and drained."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._closing or self._lost or self._queues)
                if self._lost or not self._queues:
                    return []
                batch = self._queues.take(self._limit.size)
                self._changed.notify_all()
                if batch:
                    return batch

    def _work_on(self, batch: list[Work[Prepared_co]]) -> None:
        if isinstance(batch[0], CropWork):
            self._score(batch[0])
            return
        parts = [[work for work in batch if isinstance(work, ImageWork)]]
        while parts:
            parts = [*self._attempt(parts[0]), *parts[1:]]

    def _attempt(self, part: list[ImageWork[Prepared_co]]) -> list[list[ImageWork[Prepared_co]]]:
        """Settle the futures of ``part``, or return smaller parts that are to be tried instead."""
        if self._lost:
            fail(part, Transient(self._lost))
            return []
        begun = self._clock()
        try:
            answers = self._segmenter.segment([work.request for work in part])
            pairs = list(zip(part, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - goes to the future of whom it concerns
            failure = without_frames(error)
        else:
            seconds = self._clock() - begun
            self._limit.succeeded()
            self._rate.add(len(part), seconds)
            settle(pairs, seconds)
            return []
        # Outside the except block: there the error's frames would keep the device's memory taken.
        return self._after(failure, part)

    def _after(
        self, error: Exception, part: list[ImageWork[Prepared_co]]
    ) -> list[list[ImageWork[Prepared_co]]]:
        if isinstance(error, self._out_of_memory) and len(part) > 1:
            self._limit.exceeded(len(part))
            return halves(part)
        if len(part) > 1 and not isinstance(error, self._device_lost):  # a bad image fails alone
            return [[work] for work in part]
        fail(part, self._told(error, "one image"))
        return []

    def _told(self, error: Exception, what: str) -> Exception:
        """An error as its submitter gets it."""
        if isinstance(error, self._out_of_memory):
            return Transient(f"the device has not enough memory for {what}: {error}")
        return self._lose(error) if isinstance(error, self._device_lost) else error

    def _lose(self, error: Exception) -> Transient:
        with self._changed:
            self._lost = f"the device is lost to this worker, which must restart: {error}"
            self._changed.notify_all()
        return Transient(self._lost)

    def _score(self, work: CropWork) -> None:
        begun = self._clock()
        try:
            similarities = self._scorer.similarities(work.crops, work.texts)
        except Exception as error:  # noqa: BLE001 - goes to the future of whom it concerns
            work.future.set_exception(self._told(error, "scoring"))
        else:
            seconds = self._clock() - begun
            self._rate.add(0, seconds)
            work.future.set_result(Scored(similarities, seconds))
