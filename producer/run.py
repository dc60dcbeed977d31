"""One source from images to a dataset, on a private stack: start, submit, wait, write, stop."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from PIL import Image
from pydantic import SecretStr

from db import lookup, workers
from db.session import Database
from maskpool import __version__
from maskpool.domain import Progress
from maskpool.settings import Settings
from maskpool.spec import BatchSpec, Prompt, ReadingSettings
from producer import run_folder
from producer.dispatch.broker import Broker
from producer.formats import write_coco
from producer.formats.coco.read import read_coco
from producer.local.stack import Stack
from producer.report.overlays import Overlay, save_overlays
from producer.report.page import write_index, write_summary
from producer.results import reader
from producer.results.progress import Speed
from producer.results.records import Failure
from producer.scoring.evaluate import evaluate
from producer.scoring.records import Evaluation
from producer.sources import open_source
from producer.sources.granted import Grants, granted_by
from producer.submit import Submission, Submitter
from storage.images.fetch import Fetcher
from storage.images.web.urls import without_query
from storage.objects import open_store

#: Seconds between two readings of the progress.
_POLL_SECONDS = 0.1

#: Called with the progress, images a second and seconds left; None where not known yet.
OnProgress = Callable[[Progress | None, float | None, float | None], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    Attributes:
        source: Folder, image, glob, bucket prefix, URL of an image, or manifest.
        prompts: What to look for.
        out: Folder of the results.
        threshold: Lowest score that counts.
        truth: COCO file to score against, or None.
        overlays: Most images to draw; None draws all.
        resume: Go on with an interrupted run into the same ``out`` instead of starting afresh.
        workers: Worker processes.
    """

    source: str
    prompts: tuple[Prompt, ...]
    out: Path
    threshold: float
    truth: Path | None = None
    overlays: int | None = 200
    resume: bool = False
    workers: int = 1


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run wrote into ``out``; ``summary`` is the content of ``summary.json``."""

    out: Path
    summary: Mapping[str, object]
    evaluation: Evaluation | None

    @property
    def failed(self) -> int:
        """Images without a result."""
        return int(str(self.summary["failed"]))


def run(asked: Run, settings: Settings, on_progress: OnProgress) -> RunResult:
    """Annotate a source into a folder; whatever happens, no process stays behind.

    Args:
        asked: What.
        settings: ``model`` and the worker's settings count; ``home`` is replaced.
        on_progress: Called often; with None while the workers load their models.

    Raises:
        SpecError, SourceError: The input is refused; nothing was started.
        Conflict: ``out`` holds something else.
    """
    began = time.monotonic()
    alias = settings.alias(settings.model)
    reading = ReadingSettings(threshold=asked.threshold, max_overlap=alias.max_overlap)
    spec = BatchSpec.of(settings.model, asked.prompts, reading)
    source = open_source(asked.source, endpoint_url=settings.s3_endpoint_url)
    grants = granted_by(source)  # reads a list, so that its refusal comes before all else
    if asked.truth:
        read_coco(asked.truth)  # refused now, not after hours of work
    run_folder.prepare(asked.out, resume=asked.resume)
    private = _private(asked, grants, settings)
    with Stack(private, source_roots=grants.roots, workers=asked.workers) as stack:
        database = Database(stack.settings.database_url.get_secret_value())
        broker = Broker(stack.settings.redis_url.get_secret_value())
        try:
            submission = Submission(source, spec, settings.owner_name, _key(asked.source, spec))
            batch_id = Submitter(database, broker.wake).submit(submission).batch_id
            rate = _wait_for_end(database, stack, batch_id, on_progress)
            written = _write_results(asked, stack.settings, database, batch_id)
            return _conclude(asked, written, began=began, rate=rate)
        finally:
            broker.close()
            database.close()


def _private(asked: Run, grants: Grants, settings: Settings) -> Settings:
    """The settings of the run's own stack, which may read what its source names."""
    update: dict[str, object] = {"home": run_folder.home_of(asked.out), "store_url": ""}
    if settings.database_url.get_secret_value():
        # The environment names a pool; a run must not join it, nor read its messages.
        update |= {"database_url": SecretStr(""), "redis_url": SecretStr("")}
    return grants.added_to(settings).model_copy(update=update)


def _key(source: str, spec: BatchSpec) -> str:
    """A key made of what is asked, so that the same run again goes on with an interrupted one."""
    asked = f"{Path(source).absolute()}\0{spec.model_dump_json(by_alias=True)}"
    return hashlib.sha256(asked.encode()).hexdigest()[:32]


def _wait_for_end(
    database: Database, stack: Stack, batch_id: UUID, on_progress: OnProgress
) -> float | None:
    """Wait for the end; returns images a second since a worker was ready.

    Loading a model once says nothing of a pool's speed, so it is not counted.
    """
    speed = Speed()
    ready: tuple[float, int] | None = None
    while True:
        stack.watch()
        with database.read() as session:
            progress = lookup.progress(session, batch_id)
            alive = bool(workers.fleets(session))
        ended = progress.done + progress.failed
        if ready is None and alive:
            ready = (time.monotonic(), ended)
        on_progress(*((progress, *speed.measure(progress)) if ready else (None, None, None)))
        run_folder.require_room(stack.settings.home)
        if progress.ended:
            seconds = time.monotonic() - ready[0] if ready else 0.0
            return (ended - ready[1]) / seconds if ready and seconds else None
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class _Written:
    """What was read back, and how much of it was written."""

    progress: Progress
    view: reader.BatchView
    instances: int
    overlays: Sequence[Overlay]
    failures: Sequence[Failure]


def _ended_at(progress: Progress) -> datetime:
    ms = progress.finished_at_ms or progress.created_at_ms
    return datetime.fromtimestamp(ms // 1000, UTC)


def _write_results(asked: Run, settings: Settings, database: Database, batch_id: UUID) -> _Written:
    store = open_store(settings.store_url, endpoint_url=settings.s3_endpoint_url)
    view = reader.view(database, batch_id)
    with database.read() as session:
        progress = lookup.progress(session, batch_id)
    info = {
        "description": f"instance masks of {without_query(asked.source)}",
        "contributor": f"maskpool {__version__}, model {progress.model}",
        # Not when it is written: a run that is resumed writes the same file.
        "date_created": _ended_at(progress).isoformat(timespec="seconds"),
    }
    images = partial(reader.read_images, database, store, [view])
    counts = write_coco(asked.out / "coco.json", view.categories, images, info)
    fetcher = Fetcher(store, settings)
    overlays = save_overlays(
        images(),
        lambda uri: Image.fromarray(fetcher.fetch(uri).image),
        asked.out / "overlays",
        total=counts.images,
        categories=view.categories,
        limit=asked.overlays,
    )
    failures = list(reader.read_failures(database, batch_id))
    return _Written(progress, view, counts.annotations, overlays, failures)


def _conclude(asked: Run, written: _Written, *, began: float, rate: float | None) -> RunResult:
    """Score against the truth where there is one; write the summary and the page."""
    coco, progress = asked.out / "coco.json", written.progress
    scored = evaluate(coco, asked.truth, threshold=asked.threshold) if asked.truth else None
    summary = {
        "batch": str(progress.batch_id),
        "state": progress.state.label,
        "model": progress.model,
        "jobs": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "instances": written.instances,
        "f1": None if scored is None else scored.f1,
        "mean_iou": None if scored is None else scored.mean_iou,
        "images_per_second": None if rate is None else round(rate, 3),
        "gpu_seconds": round(progress.gpu_seconds, 3),
        "seconds": round(time.monotonic() - began, 3),
        "failures": [{"image": one.name, "error": one.error} for one in written.failures],
    }
    page = _write_page(asked, written.view, summary, written.overlays, written.failures)
    files = [coco, page, write_summary(asked.out, summary)]
    files += [overlay.path for overlay in written.overlays]
    run_folder.note_written(asked.out, files)
    return RunResult(asked.out, summary, scored)


def _write_page(
    asked: Run,
    view: reader.BatchView,
    summary: Mapping[str, object],
    overlays: Sequence[Overlay],
    failures: Sequence[Failure],
) -> Path:
    return write_index(
        asked.out,
        summary,
        overlays,
        failures,
        categories=view.categories,
        title=f"maskpool: {Path(without_query(asked.source)).name}",
        lead=f"{', '.join(view.categories)} · model {view.spec.model} · "
        f"score ≥ {asked.threshold:g}",
    )
