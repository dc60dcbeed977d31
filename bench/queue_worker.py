"""A worker process that fetches, decodes, segments and stores nothing: only the queue is left.

    python -P bench/queue_worker.py CHUNK INSTANCES

It announces a speed that makes the dispatcher choose chunks of CHUNK images, and ends each image
with so many instances. Celery, take, heartbeat and finish are those of any worker.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

from db.chunks.records import Done, TakenChunk
from maskpool.domain import Found, Instance, Klass
from maskpool.rle import Rle
from workers import process
from workers.__main__ import main
from workers.leases import Holding
from workers.pipeline import Pipeline
from workers.process import Models

_FOUND = Found(0, 0.9, (10.0, 20.0, 110.0, 220.0), Rle((1080, 1920), "never read"))
_SHA = "0123456789abcdef"


class QueuePipeline(Pipeline):
    """Takes and finishes chunks, and does nothing in between."""

    instances = 0

    def _process(self, taken: TakenChunk, holding: Holding, klass: Klass) -> str:  # noqa: ARG002
        found = (Instance(_FOUND, 20_000, 0.0),) * self.instances
        key = f"{taken.chunk_id}-{_SHA}"
        ends = [
            Done(
                job.seq,
                masks_key=key,
                masks_offset=200 * place,
                masks_length=200,
                width=1920,
                height=1080,
                instances=found,
            )
            for place, job in enumerate(taken.jobs)
        ]
        self._finish(taken, holding, ends, 0.02 * len(ends))
        return f"done {len(ends)}"


def serve(chunk: int, instances: int) -> None:
    """Run a worker until told to stop."""
    engine = SimpleNamespace(
        # The dispatcher makes chunks of what the slowest worker does in two seconds.
        images_per_second=chunk / 2,
        healthy=True,
        quiet_seconds=0.0,
        micro_batch=1,
        close=lambda: None,
    )
    QueuePipeline.instances = instances
    process.Pipeline = QueuePipeline  # type: ignore[misc]
    main(load=lambda _: Models(cast("Any", engine), "none", "no model"))


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
