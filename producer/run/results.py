"""What a run writes once its batch has ended: dataset, drawings, scores, summary and page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from PIL import Image

from db import lookup
from db.session import Database
from maskpool import __version__
from maskpool.domain import Progress
from maskpool.settings import Settings
from maskpool.text import storable
from producer.formats import write_coco
from producer.report.overlays import Overlay, save_overlays
from producer.report.page import write_index, write_summary
from producer.results import reader
from producer.results.empty import EmptyMasks
from producer.results.lacks import read_lacks
from producer.results.records import Failure
from producer.run.folder import RunFolder
from producer.run.publish import DATASET
from producer.run.records import Run, RunResult
from producer.scoring.evaluate import evaluate
from producer.sources.passed import PassedOver
from storage.images.fetch import Fetcher
from storage.images.web.urls import without_query
from storage.objects import open_store


@dataclass(frozen=True, slots=True)
class Written:
    """What was read back, and how much of it was written.

    Attributes:
        place: The folder it was written into.
        progress: Of the batch, at its end.
        view: How the batch was read.
        instances: In the dataset.
        empty: Masks without a pixel, which are not in it.
        overlays: The drawings.
        failures: Images without a result.
    """

    place: Path
    progress: Progress
    view: reader.BatchView
    instances: int
    empty: EmptyMasks
    overlays: Sequence[Overlay]
    failures: Sequence[Failure]


def _ended_at(progress: Progress) -> datetime:
    ms = progress.finished_at_ms or progress.created_at_ms
    return datetime.fromtimestamp(ms // 1000, UTC)


def _chosen_colours(asked: Run) -> dict[str, str]:
    """By prompt, where its asker chose one."""
    prompts = asked.asked.reading_with().prompts
    return {name: one.colour for name, one in prompts.items() if one.colour is not None}


def write_results(
    asked: Run, place: Path, settings: Settings, database: Database, batch_id: UUID
) -> Written:
    """Read a batch back, and write its dataset and drawings into the folder ``place``."""
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    view = reader.view(database, batch_id)
    with database.read() as session:
        progress = lookup.progress(session, batch_id)
    info = {
        "description": f"instance masks of {without_query(storable(asked.source))}",
        "contributor": f"maskpool {__version__}, model {progress.model}",
        # Not when it is written: a run that is resumed writes the same file.
        "date_created": _ended_at(progress).isoformat(timespec="seconds"),
        **read_lacks(database, batch_id).info(),
    }
    images = partial(reader.read_images, database, store, [view])
    categories = reader.merged_categories([view])
    counts = write_coco(place / DATASET, categories, images, info)
    fetcher = Fetcher(store, settings)
    overlays = save_overlays(
        images(),
        lambda uri: Image.fromarray(fetcher.fetch(uri, batch_id).image),
        place / "overlays",
        total=counts.images,
        categories=categories,
        chosen=_chosen_colours(asked),
        limit=asked.overlays,
    )
    failures = list(reader.read_failures(database, batch_id))
    return Written(place, progress, view, counts.annotations, counts.empty, overlays, failures)


def conclude(
    asked: Run,
    folder: RunFolder,
    written: Written,
    *,
    began: float,
    rate: float | None,
    changed: Sequence[str],
    passed: PassedOver,
    boxes: Sequence[str],
) -> RunResult:
    """Score against the truth where there is one, write summary and page, and publish everything.

    Args:
        asked: What.
        folder: Whose results are published.
        written: What was written already.
        began: When the run began, on the monotonic clock, in seconds.
        rate: Images a second, where it is known.
        changed: Images whose files changed since a run that is resumed began.
        passed: What of the source was not read.
        boxes: What of the file of boxes was not used, each as a sentence.

    Raises:
        SourceError: The truth does not fit; everything is published all the same.
    """
    progress, scored, refused = written.progress, None, None
    if asked.truth:
        try:
            # What is in the dataset counts already: by a prompt's own threshold, or as an object.
            scored = evaluate(written.place / DATASET, asked.truth, threshold=0.0)
        except Exception as error:  # noqa: BLE001 - what was worked for is written all the same
            refused = error
    summary = {
        "batch": str(progress.batch_id),
        "state": progress.state.label,
        "model": progress.model,
        "jobs": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "instances": written.instances,
        **written.empty.json(),
        "f1": None if scored is None else scored.f1,
        "mean_iou": None if scored is None else scored.mean_iou,
        "scored_images": None if scored is None else scored.images,
        "images_per_second": None if rate is None else round(rate, 3),
        "gpu_seconds": round(progress.gpu_seconds, 3),
        "seconds": round(time.monotonic() - began, 3),
        "failures": [{"image": one.name, "error": one.error} for one in written.failures],
        "passed_over": passed.counts,
        "boxes_left_out": list(boxes),
        "changed": list(changed),
        "truth_error": None if refused is None else str(refused),
    }
    write_summary(written.place, summary)
    _write_page(asked, written, summary, passed.sentence())
    folder.publish()
    if refused is not None:
        raise refused
    return RunResult(asked.out, summary, written.failures, scored, passed, boxes, written.empty)


def _write_page(
    asked: Run, written: Written, summary: Mapping[str, object], passed_over: str
) -> Path:
    view = written.view
    return write_index(
        written.place,
        summary,
        written.overlays,
        written.failures,
        categories=reader.merged_categories([view]),
        chosen=_chosen_colours(asked),
        title=f"maskpool: {Path(without_query(storable(asked.source))).name}",
        lead=f"{', '.join(reader.merged_categories([view]))} · model {view.spec.model} · "
        f"score ≥ {view.rule.threshold:g}{passed_over and f' · {passed_over}'}",
    )
