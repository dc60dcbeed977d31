"""A chunk's way: take → annotate its images → upload its masks → finish, all under a lease."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import get_args
from uuid import UUID

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
from db.chunks.records import counts
from db.session import Database
from maskpool import failpoints
from maskpool.abilities import Ability
from maskpool.domain import ChunkMessage, Job, JobFailure, JobResult, Klass
from maskpool.errors import ConfigError, LeaseLost, NoAccess, Permanent, Transient
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from maskpool.tiling.plan import TILE_SIDE
from storage.images.fetch import Fetcher
from storage.objects import keys, masks
from workers.engine.engine import Engine
from workers.gate import Gate
from workers.image.annotate import DECODED_BYTES, Annotator, rooms_of
from workers.leases import Holding, LeaseKeeper
from workers.outcomes import Annotated, Outcome, Unable, done, end_of, not_stored

log = logging.getLogger(__name__)

#: Tries to take a chunk while the database is away; a chunk that is not taken is sent again.
_TAKE_TRIES = 6

#: Version of a spec above which we know nothing of it.
_NEWEST_SPEC = max(get_args(BatchSpec.model_fields["version"].annotation))

#: How long an upload of masks is tried again: they cost GPU time. A call that hangs comes on top.
_UPLOAD_SECONDS = 60.0


class Pipeline:
    """Runs chunks; called by several threads at once.

    Args:
        database: The pool's database.
        store: Where mask objects go.
        fetcher: Opens images.
        engine: Runs the models.
        leases: Keeps the leases of the chunks in hand.
        worker_id: This worker's id.
        model: The alias of the models that the engine runs.
        images_in_work: Images of each class that may be fetched, decoded or waiting for the engine
            at once.
        abilities: What the models can do beside looking for texts.
        tile_side: Of the model's alias, pixels.
        decoded_bytes: Of the images of each class that are decoded and in work.
    """

    def __init__(
        self,
        *,
        database: Database,
        store: ObjectStore,
        fetcher: Fetcher,
        engine: Engine[object],
        leases: LeaseKeeper,
        worker_id: UUID,
        model: str,
        images_in_work: int,
        abilities: frozenset[Ability] = frozenset(Ability),
        tile_side: int = TILE_SIDE,
        decoded_bytes: int = DECODED_BYTES,
    ) -> None:
        self._database = database
        self._store = store
        self._annotator = Annotator(
            fetcher, engine, store, abilities, tile_side, rooms_of(decoded_bytes)
        )
        self._engine = engine
        self._leases = leases
        self._worker_id = worker_id
        self._model = model
        self._gate = Gate()
        # Threads for each class: an interactive image must not wait behind images of bulk chunks.
        self._threads = {
            klass: ThreadPoolExecutor(images_in_work, f"image-{klass.label}") for klass in Klass
        }

    def close(self) -> None:
        """Stop the image threads; what they have begun ends first."""
        for threads in self._threads.values():
            threads.shutdown(cancel_futures=True)

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
        for attempt in _retrying(stop_after_attempt(_TAKE_TRIES)):
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
        if taken.spec.get("version", 1) > _NEWEST_SPEC:
            return self._leave(taken, holding)
        spec = BatchSpec.read(taken.spec)
        futures = [
            self._threads[klass].submit(
                self._annotator.annotate, job, spec, holding, klass, taken.batch_id
            )
            for job in taken.jobs
        ]
        outcomes = _collect(futures, holding)
        holding.require()
        ends = self._ends(taken, spec, outcomes, holding)
        self._finish(taken, holding, ends, holding.spent)
        n_done, n_failed = counts(ends)
        returned = len(ends) - n_done - n_failed
        return f"done {n_done}, failed {n_failed}, returned {returned}"

    def _leave(self, taken: TakenChunk, holding: Holding) -> str:
        """Leave a chunk whose batch a newer version wrote to a worker of that version."""
        reason = f"this worker does not know version {taken.spec['version']} of the spec"
        log.warning("%s", reason, extra={"chunk": taken.chunk_id})
        self._finish(taken, holding, [end_of(job, Unable(reason)) for job in taken.jobs], 0.0)
        return f"left: {reason}"

    def _give_up(self, taken: TakenChunk, holding: Holding, error: Exception) -> str:
        """Charge every job an attempt, so that a bug ends in FAILED and not in a loop."""
        reason = f"internal error, please report it: {error!r}"
        failures = [JobFailure(job.seq, reason, transient=True) for job in taken.jobs]
        ends = [end_of(job, one) for job, one in zip(taken.jobs, failures, strict=True)]
        self._finish(taken, holding, ends, holding.spent)
        return f"given up: {error!r}"

    def _ends(
        self, taken: TakenChunk, spec: BatchSpec, outcomes: Sequence[Outcome], holding: Holding
    ) -> list[JobEnd]:
        """How each job ends; those with a result only after their masks are stored."""
        annotated = [
            (job, outcome.result)
            for job, outcome in zip(taken.jobs, outcomes, strict=True)
            if isinstance(outcome, Annotated)
        ]
        stored = self._store_masks(taken, spec, annotated, holding) if annotated else {}
        return [
            stored[job.seq] if isinstance(outcome, Annotated) else end_of(job, outcome)
            for job, outcome in zip(taken.jobs, outcomes, strict=True)
        ]

    def _store_masks(
        self,
        taken: TakenChunk,
        spec: BatchSpec,
        annotated: Sequence[tuple[Job, JobResult]],
        holding: Holding,
    ) -> dict[int, JobEnd]:
        """Write the chunk's one object; returns how the jobs with a result end, by ``seq``."""
        named = [(job.name, result) for job, result in annotated]
        content = masks.encode_chunk(
            taken.batch_id, taken.chunk_id, self._model, spec.prompts, named
        )
        try:
            self._upload(keys.mask_object(taken.batch_id, content.masks_key), content.data, holding)
        except LeaseLost:
            raise
        except (Transient, Permanent) as error:
            log.warning("cannot store the masks: %s", error, extra={"chunk": taken.chunk_id})
            return {job.seq: end_of(job, not_stored(job, error)) for job, _ in annotated}
        return {job.seq: done(job, result, content) for job, result in annotated}

    def _upload(self, key: str, data: bytes, holding: Holding) -> None:
        def asked_to_stop(_: RetryCallState) -> bool:
            return not holding.go_on

        for attempt in _retrying(asked_to_stop, stop_after_delay(_UPLOAD_SECONDS)):
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


def _retrying(*stops: Callable[[RetryCallState], bool]) -> Retrying:
    """Try again after transient errors, with waits that differ between workers."""
    return Retrying(
        retry=retry_if_exception(_is_transient),
        wait=wait_random_exponential(multiplier=0.4, max=5.0, min=0.1),
        stop=lambda state: any(stop(state) for stop in stops),
        reraise=True,
    )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, LeaseLost)
