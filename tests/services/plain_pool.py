"""A pool without processes: the test is dispatcher, worker and clock, one step at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np

from db import batches, chunks, jobs, workers
from db.batches import NewBatch
from db.chunks import Done, JobEnd, Returned, TakenChunk
from db.session import Database
from db.workers import WorkerInfo
from maskpool import rle
from maskpool.domain import (
    ChunkMessage,
    Found,
    ImageRef,
    Instance,
    Job,
    JobResult,
    new_id,
)
from maskpool.ports import ObjectStore
from maskpool.spec import BatchSpec
from producer.dispatch.tick import tick
from storage.objects import keys, masks
from storage.objects.masks import ChunkObject

SPEC = BatchSpec.read({"model": "demo", "prompts": [{"text": "a"}, {"text": "b", "not": ["c"]}]})
SIZE = (6, 8)

#: The same, and objects of single images.
SPEC_OF_OBJECTS = BatchSpec.read(
    {
        **{key: value for key, value in SPEC.dump().items() if key != "settings"},
        "version": 2,
        "classes": ["boxed", "clicked"],
    }
)
#: What every image of such a batch is asked; the mask of the last is empty.
OBJECTS: list[dict[str, Any]] = [
    {"class": "boxed", "box": [1.0, 1.0, 4.0, 3.0], "score": 0.25},
    {"class": "clicked", "points": [[0.5, 0.5, 1], [6.5, 5.5, 0]]},
    {"class": "boxed", "box": [80.0, 1.0, 90.0, 3.0]},
]

#: Four images a chunk, two chunks at once.
RATE, THREADS = 2.0, 3


@dataclass
class PlainPool:
    """Rows and objects of one stack."""

    database: Database
    store: ObjectStore
    worker_id: UUID = field(default_factory=new_id)
    #: What is found in a job's image, by ``seq``.
    look: Callable[[int], JobResult] = field(default_factory=lambda: a_result)
    #: Whose masks they are.
    model: str = "demo"

    def submit(self, count: int, *, activate: bool = True, objects: bool = False) -> UUID:
        """A batch of ``count`` images that nobody ever opens, each with ``OBJECTS`` if told."""
        spec, asks = (
            (SPEC_OF_OBJECTS, json.dumps({"objects": OBJECTS})) if objects else (SPEC, None)
        )
        new = NewBatch("ann", str(new_id()), "plain", "demo", spec.dump(), "images")
        images = [
            ImageRef(f"{n:03d}.png", f"file:///images/{n:03d}.png", asks) for n in range(count)
        ]
        with self.database.write() as session:
            batch_id = batches.create_or_find(session, new).batch_id
        with self.database.write() as session:
            assert jobs.load_block(session, batch_id, 0, images)
            if activate:
                batches.activate(session, batch_id)
        return batch_id

    def tick(self) -> list[ChunkMessage]:
        """One round of the dispatcher, while a worker lives."""
        info = WorkerInfo(self.worker_id, "plain", "cpu", "demo", THREADS, RATE)
        with self.database.write() as session:
            workers.announce(session, info)
        messages: list[ChunkMessage] = []
        tick(self.database, messages.extend)
        return messages

    def take(self, message: ChunkMessage, *, lease_ms: int = 30_000) -> TakenChunk:
        """QUEUED → RUNNING."""
        with self.database.write() as session:
            taken = chunks.take(
                session, message.chunk_id, self.worker_id, solo=message.solo, lease_ms=lease_ms
            )
        assert taken is not None
        return taken

    def upload(
        self, taken: TakenChunk, *, but: Collection[int] = ()
    ) -> tuple[list[JobResult], ChunkObject]:
        """The chunk's object, before any row knows of it; without the jobs in ``but``."""
        named = [(job.name, self._annotate(job)) for job in taken.jobs if job.seq not in but]
        results = [result for _, result in named]
        content = masks.encode_chunk(
            taken.batch_id, taken.chunk_id, self.model, SPEC.prompts, named
        )
        key = keys.mask_object(taken.batch_id, content.masks_key)
        self.store.put(key, content.data, "application/zstd")
        return results, content

    def _annotate(self, job: Job) -> JobResult:
        """What is found, and a mask for each object that the image is asked for."""
        result = self.look(job.seq)
        asked = len(job.prompts["objects"]) if job.prompts else 0
        return replace(result, instances=(*result.instances, *_drawn()[:asked]))

    def finish(self, taken: TakenChunk, results: list[JobResult], content: ChunkObject) -> None:
        """The one transaction that makes them count; jobs without a result come back."""
        seqs = {result.seq for result in results}
        ends: list[JobEnd] = [Returned(job.seq) for job in taken.jobs if job.seq not in seqs]
        for result in results:
            offset, length = content.spans[result.seq]
            ends.append(
                Done(
                    result.seq,
                    masks_key=content.masks_key,
                    masks_offset=offset,
                    masks_length=length,
                    width=result.width,
                    height=result.height,
                    instances=result.instances,
                )
            )
        with self.database.write() as session:
            chunks.finish(session, self.worker_id, taken.chunk_id, ends, gpu_seconds=0.5)

    def work(self, message: ChunkMessage) -> None:
        """A whole chunk."""
        taken = self.take(message)
        self.finish(taken, *self.upload(taken))

    def drain(self) -> None:
        """Until nothing is left to do."""
        for _ in range(100):
            messages = self.tick()
            if not messages:
                return
            for message in messages:
                self.work(message)
        raise AssertionError("it never ends")


def a_result(seq: int) -> JobResult:
    """Three instances on one spot, of which the last one has a negative and a better rival."""
    mask = np.zeros(SIZE, np.bool_)
    mask[1:4, 2 : 4 + seq % 4] = True
    width = 2 + seq % 4
    box = (2.0, 1.0, 2.0 + width, 4.0)
    against: dict[str, Any] = {"against": 0.1, "against_text": "c"}
    instances = tuple(
        Instance(Found(prompt, score, box, rle.encode(mask)), 3 * width, overlap, clip, **rest)
        for prompt, score, overlap, clip, rest in (
            (0, 0.9, 0.0, None, {}),
            (0, 0.3, 1.0, None, {"contended": 1.0, "contender": 2}),
            (1, 0.7, 0.0, 0.6, {**against, "contended": 1.0, "contender": 0}),
        )
    )
    return JobResult(seq, SIZE[1], SIZE[0], instances, f"{seq:064x}")


def _drawn() -> list[Instance]:
    boxed, clicked, nothing = (np.zeros(SIZE, np.bool_) for _ in range(3))
    boxed[1:3, 1:4], clicked[0, 0] = True, True
    drawn = (
        (2, 0.25, (1.0, 1.0, 4.0, 3.0), boxed),
        (3, 1.0, (0.0, 0.0, 1.0, 1.0), clicked),
        (2, 1.0, (0.0, 0.0, 0.0, 0.0), nothing),
    )
    return [
        Instance(Found(category, score, box, rle.encode(mask), index, 0.5), int(mask.sum()), 0.0)
        for index, (category, score, box, mask) in enumerate(drawn)
    ]
