"""A worker's whole way beside its model alone: JPEG files in, mask objects out.

The real pipeline, fetcher, engine and store; only rows are left out, which ``bench/queue.py`` has.
Half the images are of 12 megapixels and half of 2, and each has 20 instances.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from bench.forced import Forced
from bench.segmenting import INSTANCES, PROMPTS, UnderTest, jpeg, pictures
from bench.stages import now
from db.chunks.records import Done, TakenChunk
from maskpool.domain import Job, Klass, new_id
from maskpool.settings import load_settings
from maskpool.spec import BatchSpec
from storage.images.fetch import Fetcher
from storage.objects.folder import FolderStore
from workers.engine.engine import Engine
from workers.leases import Holding
from workers.pipeline import Pipeline

SIZES = ((4000, 3000), (1920, 1080))
CHUNK = 16
THREADS = 3


@dataclass(frozen=True)
class Spent:
    """Time for all images: on the clock, and CPU time of this process."""

    seconds: float
    cpu_seconds: float


class RowlessPipeline(Pipeline):
    """Everything but the last transaction."""

    ended = 0

    def _finish(self, taken: Any, holding: Any, ends: Any, seconds: Any) -> None:  # noqa: ARG002
        assert all(isinstance(end, Done) and len(end.instances) >= INSTANCES for end in ends), ends
        self.ended += len(ends)


def whole_worker(
    one: UnderTest, prompts: int, count: int, micro_batch: int, folder: Path
) -> dict[str, Any]:
    """Images a second, the whole way and the model alone, in the same run.

    Args:
        one: The weights whose segmenter runs.
        prompts: Number of prompts of every image.
        count: Number of images.
        micro_batch: Most images in one forward pass.
        folder: Folder for images and objects.
    """
    images = [pictures(1, *SIZES[number % len(SIZES)])[0] for number in range(count)]
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(jpeg(image))
    forced = one.forced or Forced(INSTANCES, one.cells, one.device)
    with forced.on(one.ours, prompts):
        model = _model_alone(one, images, PROMPTS[:prompts], micro_batch)
        whole = _whole_way(one, paths, PROMPTS[:prompts], micro_batch, folder)
    return {
        "prompts": prompts,
        "model_images_per_s": count / model.seconds,
        "whole_images_per_s": count / whole.seconds,
        "share": model.seconds / whole.seconds,
        "model_cpu_ms": 1000 * model.cpu_seconds / count,
        "whole_cpu_ms": 1000 * whole.cpu_seconds / count,
        "cores_busy": whole.cpu_seconds / whole.seconds,
    }


def _model_alone(
    one: UnderTest, images: Sequence[np.ndarray], texts: Sequence[str], micro_batch: int
) -> Spent:
    prepared = [one.ours.prepare(image) for image in images]
    one.find(prepared[:micro_batch], texts)
    began, used = now(), time.process_time()
    for start in range(0, len(images), micro_batch):
        one.find(prepared[start : start + micro_batch], texts)
    return Spent(now() - began, time.process_time() - used)


def _whole_way(
    one: UnderTest, paths: Sequence[Path], texts: Sequence[str], micro_batch: int, folder: Path
) -> Spent:
    spec = BatchSpec.read({"model": "demo", "prompts": [{"text": text} for text in texts]}).dump()
    batch = new_id()
    jobs = [Job(number, path.name, path.as_uri()) for number, path in enumerate(paths)]
    chunks = [
        TakenChunk(batch, new_id(), spec, tuple(jobs[start : start + CHUNK]))
        for start in range(0, len(jobs), CHUNK)
    ]
    with _pipeline(one, micro_batch, folder) as pipeline, ThreadPoolExecutor(THREADS) as threads:

        def annotate(chunk: TakenChunk) -> str:
            holding = Holding(chunk.chunk_id, time.monotonic() + 3600)
            return pipeline._process(chunk, holding, Klass.BULK)  # noqa: SLF001

        began, used = time.perf_counter(), time.process_time()
        list(threads.map(annotate, chunks))
        spent = Spent(time.perf_counter() - began, time.process_time() - used)
        assert pipeline.ended == len(paths)
    return spent


@contextmanager
def _pipeline(one: UnderTest, micro_batch: int, folder: Path) -> Iterator[RowlessPipeline]:
    store = FolderStore(folder / "objects")
    settings = load_settings(source_roots=(folder,))
    nobody = cast("Any", None)
    engine = Engine(one.ours, nobody, micro_batch=micro_batch, prepare=one.ours.prepare)
    with engine:
        pipeline = RowlessPipeline(
            database=nobody,
            store=store,
            fetcher=Fetcher(store, settings),
            engine=engine,
            leases=nobody,
            worker_id=new_id(),
            model="demo",
            images_in_work=2 * micro_batch + 1,
        )
        yield pipeline
        pipeline.close()
