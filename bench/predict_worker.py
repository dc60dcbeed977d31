"""A worker process that finds the same in every image at once: the queue and the store are left.

    python -m bench.predict_worker

Celery, take, heartbeat, the mask object and finish are those of any worker.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from maskpool.domain import Found, Instance, Job, JobResult, Klass
from maskpool.rle import Rle
from maskpool.spec import BatchSpec
from workers import process
from workers.__main__ import main
from workers.leases import Holding
from workers.outcomes import Annotated
from workers.pipeline import Pipeline
from workers.process import Models

#: A pixel in the corner of images 48 × 8.
_FOUND = Found(0, 0.875, (0.0, 0.0, 1.0, 1.0), Rle((8, 48), "01o;"))


class _Finder:
    """In place of ``workers.image.annotate``."""

    def annotate(
        self, job: Job, _spec: BatchSpec, holding: Holding, _klass: Klass, _batch: UUID
    ) -> Annotated:
        found = (Instance(_FOUND, 1, 0.0),)
        holding.spend(0.001)
        return Annotated(JobResult(job.seq, 48, 8, found, "0" * 64))


class PredictPipeline(Pipeline):
    """Looks at no image."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self._annotator = cast("Any", _Finder())


if __name__ == "__main__":
    engine = SimpleNamespace(
        images_per_second=32.0,
        healthy=True,
        quiet_seconds=0.0,
        micro_batch=1,
        close=lambda: None,
    )
    process.Pipeline = PredictPipeline  # type: ignore[misc]
    main(load=lambda _: Models(cast("Any", engine), "none", "no model"))
