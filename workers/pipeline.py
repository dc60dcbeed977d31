"""A chunk's way: fetch → decode → segment → score → encode → upload → finish."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from uuid import UUID

import numpy as np
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from db import chunks
from db.chunks import JobEnd, TakenChunk
from db.session import Database
from maskpool import failpoints
from maskpool.domain import ChunkMessage, Found, Job, JobFailure, JobResult, JobState, Klass
from maskpool.errors import (
    ConfigError,
    LeaseLost,
    NoAccess,
    Permanent,
    Transient,
    Unreachable,
    WrongClock,
)
from maskpool.ports import Image, ObjectStore
from maskpool.spec import BatchSpec, Prompt
from storage.images.fetch import FetchedImage, Fetcher
from storage.objects import keys, masks
from workers.engine.engine import Engine
from workers.gate import Gate
from workers.leases import Holding, LeaseKeeper
from workers.models.clip.crop import crop_for_clip
from workers.outcomes import Annotated, Outage, Outcome, end_of, relate, single

log = logging.getLogger(__name__)

#: Tries to take a chunk; what cannot be taken comes again.
_TAKE_TRIES = 6

#: How long masks are held on to, which cost GPU time, while the store does not take them. A call
#: that hangs comes on top.
_UPLOAD_SECONDS = 60.0

#: A key that no object has: what a store says of it shows whether it is there.
_NOWHERE = f"{keys.MASKS}nowhere"

#: Characters of a traceback that a job's row keeps.
_TRACEBACK = 2_000


class Pipeline:
    """Runs chunks; called by several threads at once.

    Args:
        database: The truth.
        store: Where mask objects go.
        fetcher: Opens images.
        engine: Runs the models.
        leases: Keeps the chunks in hand.
        worker_id: Who we are.
        model: Alias that the engine runs.
        images_in_work: Images fetched, decoded and waiting for the engine at once, each class.
    """

    def __init__(
        self,
        *,
        database: Database,
        store: ObjectStore,
        fetcher: Fetcher,
        engine: Engine,
        leases: LeaseKeeper,
        worker_id: UUID,
        model: str,
        images_in_work: int,
    ) -> None:
        self._database = database
        self._store = store
        self._fetcher = fetcher
        self._engine = engine
        self._leases = leases
        self._worker_id = worker_id
        self._model = model
        self._gate = Gate()
        # A pool a class: an interactive image must not queue behind the images of bulk chunks.
        self._pools = {
            klass: ThreadPoolExecutor(images_in_work, f"image-{klass.label}") for klass in Klass
        }

    def close(self) -> None:
        """Stop the image threads; what they have begun ends first."""
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def run(self, message: ChunkMessage) -> str:
        """Take a chunk, annotate it, finish it. Returns a word on what became of it.

        Nothing that goes wrong here needs the message again: what was not finished comes back by
        its lease.
        """
        if self._leases.draining:
            return "left: shutting down"
        with self._gate.enter(solo=message.solo):
            if not self._engine.healthy:  # after the wait: it may have been lost meanwhile
                return "left: the engine is lost"
            if not self._leases.reserve(message.chunk_id):
                return "dropped: in hand already"
            try:
                return self._run(message)
            finally:
                self._leases.unreserve(message.chunk_id)

    def _run(self, message: ChunkMessage) -> str:
        asked_at = time.monotonic()
        taken = self._take(message)
        if taken is None:
            return "dropped: not to be had"
        failpoints.reach("worker.taken")
        holding = self._leases.hold(taken.chunk_id, asked_at)
        try:
            return self._process(taken, holding, message.klass)
        except LeaseLost as error:
            return f"dropped: {error}"
        except Exception as error:
            # Left to its lease, a chunk that trips a bug would come back for ever, uncharged.
            log.exception("bug in chunk %s", taken.chunk_id)
            return self._give_up(taken, holding, error)
        finally:
            self._leases.release(holding)

    def _take(self, message: ChunkMessage) -> TakenChunk | None:
        for attempt in _patiently(stop_after_attempt(_TAKE_TRIES)):
            with attempt, self._database.write() as session:
                taken = chunks.take(
                    session,
                    message.chunk_id,
                    self._worker_id,
                    solo=message.solo,
                    lease_ms=self._leases.lease_ms,
                )
                if taken and (taken.batch_id, taken.spec["model"]) != (
                    message.batch_id,
                    self._model,
                ):
                    # Rolled back with the session: its own worker may have it still.
                    raise Permanent(
                        "the message names another batch or model than the chunk's rows"
                    )
                return taken
        return None

    def _process(self, taken: TakenChunk, holding: Holding, klass: Klass) -> str:
        spec = BatchSpec.read(taken.spec)
        futures = [
            self._pools[klass].submit(self._annotate, job, spec, holding, klass)
            for job in taken.jobs
        ]
        outcomes = _collect(futures, holding)
        holding.require()
        ends = self._store_masks(taken, spec, outcomes, holding)
        seconds = sum(o.gpu_seconds for o in outcomes if isinstance(o, Annotated))
        self._finish(taken, holding, ends, seconds)
        done = sum(end.state == JobState.DONE for end in ends)
        failed = sum(end.state == JobState.FAILED for end in ends)
        return f"done {done}, failed {failed}, returned {len(ends) - done - failed}"

    def _give_up(self, taken: TakenChunk, holding: Holding, error: Exception) -> str:
        """Charge every job an attempt, so that a bug ends in FAILED and not in a loop."""
        reason = f"internal error, please report it: {error!r}"
        failures = [JobFailure(job.seq, reason, transient=True) for job in taken.jobs]
        ends = [end_of(job, one) for job, one in zip(taken.jobs, failures, strict=True)]
        self._finish(taken, holding, ends, 0.0)
        return f"given up: {error!r}"

    def _annotate(self, job: Job, spec: BatchSpec, holding: Holding, klass: Klass) -> Outcome:
        """One image; None where it was not begun because the chunk should stop."""
        if not holding.go_on:
            return None
        try:
            fetched = self._fetcher.fetch(job.uri)
            return self._look(job, fetched, spec.prompts, holding, klass)
        except Permanent as error:
            return JobFailure(job.seq, str(error))
        except Transient as error:
            return self._put_off(job, error, holding)
        except Exception as error:
            log.exception("bug while annotating %s", job.name, extra={"job": job.seq})
            trace = "".join(traceback.format_exception(error))[-_TRACEBACK:]
            return JobFailure(job.seq, f"internal error, please report it: {error!r}\n{trace}")
        finally:
            holding.made_progress()

    def _put_off(self, job: Job, error: Transient, holding: Holding) -> Outcome:
        """The job is charged, unless what keeps us from its image is our own, or the store's."""
        holding.made_progress()  # asking may take as long again
        in_store = isinstance(error, Unreachable) and job.uri.startswith(f"{self._store.url}/")
        ours = in_store or isinstance(error, NoAccess)  # which is ours wherever the image lies
        if isinstance(error, WrongClock) or (ours and self._store_is_away()):
            log.warning("image %s is put off: %s", job.name, error, extra={"job": job.seq})
            return Outage(str(error))
        return JobFailure(job.seq, str(error), transient=True)

    def _store_is_away(self) -> bool:
        """Whether the store gives us nothing at all, which is no single image's fault."""
        try:
            self._store.size(_NOWHERE)
        except (Unreachable, ConfigError):
            return True
        except Permanent:
            return False
        return False

    def _look(
        self,
        job: Job,
        fetched: FetchedImage,
        prompts: Sequence[Prompt],
        holding: Holding,
        klass: Klass,
    ) -> Annotated | None:
        """The models' verdict; None where their turn came after the chunk was to stop.

        A lost engine is a lost worker: the chunk is left to its lease. So nobody is charged, and
        yet an image that loses every device is found out: those that come back run alone.
        """
        texts = tuple(prompt.text for prompt in prompts)
        try:
            segmented = holding.wait_for(self._engine.submit(fetched.image, texts, klass))
            clip_scores, seconds = self._weigh(
                fetched.image, segmented.found, prompts, holding, klass
            )
        except CancelledError:
            return None
        except Transient:
            if self._engine.healthy:
                raise
            holding.lose()
            return None
        height, width = fetched.image.shape[:2]
        instances = tuple(relate(segmented.found, clip_scores))
        result = JobResult(job.seq, width, height, instances, fetched.sha256)
        return Annotated(result, segmented.seconds + seconds)

    def _weigh(
        self,
        image: Image,
        found: Sequence[Found],
        prompts: Sequence[Prompt],
        holding: Holding,
        klass: Klass,
    ) -> tuple[dict[int, float], float]:
        """CLIP's verdict on the instances of prompts that have negative texts, by their place."""
        scores: dict[int, float] = {}
        seconds = 0.0
        for index, prompt in enumerate(prompts):
            places = [i for i, one in enumerate(found) if one.prompt_index == index]
            if not prompt.negatives or not places:
                continue
            crops = [crop_for_clip(image, found[i].box_xyxy) for i in places]
            scored = holding.wait_for(
                self._engine.score(crops, (prompt.text, *prompt.negatives), klass)
            )
            margin = scored.similarities[:, 0] - scored.similarities[:, 1:].max(axis=1)
            wins = 1 / (1 + np.exp(-margin.astype(np.float64)))
            scores |= {i: single(win) for i, win in zip(places, wins, strict=True)}
            seconds += scored.seconds
        return scores, seconds

    def _store_masks(
        self, taken: TakenChunk, spec: BatchSpec, outcomes: Sequence[Outcome], holding: Holding
    ) -> list[JobEnd]:
        """Write the chunk's object, then say how each job ends: no row before its mask."""
        done = [
            (job.name, outcome.result)
            for job, outcome in zip(taken.jobs, outcomes, strict=True)
            if isinstance(outcome, Annotated)
        ]
        if not done:
            return [end_of(job, o) for job, o in zip(taken.jobs, outcomes, strict=True)]
        content = masks.encode_chunk(
            taken.batch_id, taken.chunk_id, self._model, spec.prompts, done
        )
        try:
            self._upload(keys.mask_object(taken.batch_id, content.masks_key), content.data, holding)
        except LeaseLost:
            raise
        except (Transient, Permanent) as error:
            log.warning("cannot store the masks: %s", error, extra={"chunk": taken.chunk_id})
            outcomes = [_without_masks(outcome, error) for outcome in outcomes]
        return [end_of(job, o, content) for job, o in zip(taken.jobs, outcomes, strict=True)]

    def _upload(self, key: str, data: bytes, holding: Holding) -> None:
        def asked_to_stop(_: RetryCallState) -> bool:
            return not holding.go_on

        for attempt in _patiently(asked_to_stop, stop_after_delay(_UPLOAD_SECONDS)):
            # A store that is away is no stall: a new process would find it no sooner.
            holding.made_progress()
            with attempt:
                holding.require()
                self._put(key, data)
        holding.made_progress()
        failpoints.reach("worker.stored")

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._store.put(key, data, "application/zstd")
        except ConfigError as error:  # credentials may be back in a moment; no image is at fault
            raise NoAccess(f"the object store {self._store.url}", str(error)) from None

    def _finish(
        self, taken: TakenChunk, holding: Holding, ends: Sequence[JobEnd], seconds: float
    ) -> None:
        """Commit, trying again while the lease holds."""
        while True:
            holding.require()
            try:
                with self._database.write() as session:
                    chunks.finish(
                        session, self._worker_id, taken.chunk_id, ends, gpu_seconds=seconds
                    )
                    failpoints.reach("worker.finishing")
            except LeaseLost:
                raise
            except Transient as error:
                log.warning("cannot finish yet: %s", error, extra={"chunk": taken.chunk_id})
                time.sleep(random.uniform(0.2, 1.0))  # noqa: S311 - jitter
            else:
                failpoints.reach("worker.finished")
                return


def _collect(futures: Sequence[Future[Outcome]], holding: Holding) -> list[Outcome]:
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
        holding.made_progress()


def _without_masks(outcome: Outcome, error: Transient | Permanent) -> Outcome:
    """What becomes of a result that could not be stored; everything else stays as it is."""
    if not isinstance(outcome, Annotated):
        return outcome
    reason = f"its masks could not be stored: {error}"
    if isinstance(error, Transient):
        return Outage(reason)
    return JobFailure(outcome.result.seq, reason, transient=True)


def _patiently(*stops: Callable[[RetryCallState], bool]) -> Retrying:
    """Try again what may pass, at moments that no two workers share."""
    return Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_random_exponential(multiplier=0.4, max=5.0, min=0.1),
        stop=lambda state: any(stop(state) for stop in stops),
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, LeaseLost)
