"""``run``: one shot on the embedded profile – start, submit, wait, export, draw, stop."""

from __future__ import annotations

import hashlib
import json
import shutil
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
from maskpool.errors import ConfigError, Conflict
from maskpool.settings import Settings
from maskpool.spec import BatchSpec, Prompt, ReadingSettings
from producer.dispatch.broker import Broker
from producer.formats import write_coco
from producer.formats.coco.read import read_coco
from producer.local.endpoints import is_held
from producer.local.stack import Stack
from producer.report.overlays import Overlay, save_overlays
from producer.report.page import write_index, write_summary
from producer.results import reader
from producer.results.records import Failure
from producer.scoring.evaluate import Evaluation, evaluate
from producer.sources import Source, open_source
from producer.sources.web import MAY_NAME_HOSTS, hosts_in
from producer.submit import Submission, Submitter
from storage.images.fetch import Fetcher
from storage.images.web.urls import without_query
from storage.objects import open_store
from storage.uris import split_s3

#: How often progress is looked at.
_LOOK_SECONDS = 0.1

#: The private stack's folder under OUT, and what tells an OUT of ours from any other folder. Not
#: the name of ``maskpool up``'s home: a pool must never be taken for the leavings of a run.
_HOME = ".maskpool-run"

#: Hosts of a list that a run's workers are told by name.
_MAX_HOSTS = 1_000

#: Below this many free bytes under OUT nothing can be finished.
_LEAST_FREE = 256 * 1024

OnProgress = Callable[[Progress | None, float | None, float | None], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for.

    Attributes:
        source: Folder, image, glob, bucket prefix, URL of an image, or manifest.
        prompts: What to look for.
        out: Folder of the results.
        threshold: Least score that counts.
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
class Outcome:
    """What came of it; ``summary`` is the content of ``summary.json``."""

    out: Path
    summary: Mapping[str, object]
    evaluation: Evaluation | None

    @property
    def failed(self) -> int:
        """Images without a result."""
        return int(str(self.summary["failed"]))


def run(asked: Run, settings: Settings, on_progress: OnProgress) -> Outcome:
    """Annotate a source into a folder; whatever happens, no process stays behind.

    Args:
        asked: What.
        settings: ``model`` and the worker's settings count; ``home`` is replaced.
        on_progress: Called with the progress, images a second and seconds to go; with None while
            the workers load their models.

    Raises:
        SpecError, SourceError: The input is refused; nothing was started.
        Conflict: ``out`` holds something else.
    """
    began = time.monotonic()
    alias = settings.alias(settings.model)
    reading = ReadingSettings(threshold=asked.threshold, max_overlap=alias.max_overlap)
    spec = BatchSpec.of(settings.model, asked.prompts, reading)
    source = open_source(asked.source, endpoint_url=settings.s3_endpoint_url)
    if asked.truth:
        read_coco(asked.truth)  # refused now, not after hours of work
    _prepare(asked.out, resume=asked.resume)
    roots = [source.root] if source.root else []
    with Stack(
        _private(asked, source, settings), source_roots=roots, workers=asked.workers
    ) as stack:
        database = Database(stack.settings.database_url.get_secret_value())
        broker = Broker(stack.settings.redis_url.get_secret_value())
        try:
            submission = Submission(source, spec, settings.owner_name, _key(asked.source, spec))
            batch_id = Submitter(database, broker.wake).submit(submission).batch_id
            rate = _await_end(database, stack, batch_id, on_progress)
            written = _write(asked, stack.settings, database, batch_id)
            return _conclude(asked, written, began=began, rate=rate)
        finally:
            broker.close()
            database.close()


def _private(asked: Run, source: Source, settings: Settings) -> Settings:
    """The run's own home, and leave to read the one bucket, or the hosts, that its source names."""
    place = split_s3(asked.source)
    buckets = (*settings.source_buckets, *([place[0]] if place else []))
    update: dict[str, object] = {
        "home": asked.out / _HOME,
        "source_buckets": buckets,
        "source_hosts": (*settings.source_hosts, *_hosts(source)),
    }
    if settings.database_url.get_secret_value():
        # The environment names a pool; what is one shot must not join it, nor read its messages.
        update |= {"database_url": SecretStr(""), "redis_url": SecretStr("")}
    return settings.model_copy(update=update | {"store_url": ""})


def _hosts(source: Source) -> list[str]:
    """Hosts of the web images that a source names; reads a list once more."""
    if source.kind not in MAY_NAME_HOSTS:
        return []
    hosts = hosts_in(source.refs())
    # The names go to the workers in their environment, which has room for some thousands. Whoever
    # lists more hosts than anybody looks through means the web; private addresses stay closed.
    return sorted(hosts) if len(hosts) <= _MAX_HOSTS else ["*"]


def _key(source: str, spec: BatchSpec) -> str:
    """What is asked, not when: so that the same run finds its interrupted self."""
    asked = f"{Path(source).absolute()}\0{spec.model_dump_json(by_alias=True)}"
    return hashlib.sha256(asked.encode()).hexdigest()[:32]


def _prepare(out: Path, *, resume: bool) -> None:
    """Make ``out`` ours, without ever touching what we did not write."""
    ours = (out / _HOME).is_dir()
    if out.exists() and not ours and any(out.iterdir()):
        raise Conflict(f"{out} holds other files; give a new or empty folder with -o")
    if is_held(out / _HOME):
        raise Conflict(f"another run works on {out}; wait for it, or give another folder")
    for path in _written(out) if ours else ():
        path.unlink(missing_ok=True)
    if ours and not resume:
        shutil.rmtree(out / _HOME)
    (out / _HOME).mkdir(parents=True, exist_ok=True, mode=0o700)


def _written(out: Path) -> list[Path]:
    """The files that the last run into ``out`` wrote, by its own list."""
    try:
        names = json.loads((out / _HOME / "written.json").read_text())
        return [out / name for name in names]
    except (OSError, ValueError):
        return []  # it did not come that far


def _await_end(
    database: Database, stack: Stack, batch_id: UUID, on_progress: OnProgress
) -> float | None:
    """Wait for the end; returns images a second since a worker was ready.

    Loading a model once says nothing of a pool's speed, so it is not counted.
    """
    speed = reader.Speed()
    ready: tuple[float, int] | None = None
    while True:
        stack.watch()
        with database.read() as session:
            progress = lookup.progress(session, batch_id)
            alive = bool(workers.fleets(session))
        ended = progress.done + progress.failed
        if ready is None and alive:
            ready = (time.monotonic(), ended)
        on_progress(*((progress, *speed.see(progress)) if ready else (None, None, None)))
        _require_room(stack.settings.home)
        if progress.ended:
            seconds = time.monotonic() - ready[0] if ready else 0.0
            return (ended - ready[1]) / seconds if ready and seconds else None
        time.sleep(_LOOK_SECONDS)


def _require_room(folder: Path) -> None:
    """A full disk fails every commit, again and again: better one sentence than silence."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        raise ConfigError(
            f"no space is left under {folder} ({free:,} bytes); make room, then go on with --resume"
        )


@dataclass(frozen=True, slots=True)
class _Written:
    """What was read back and written."""

    progress: Progress
    view: reader.BatchView
    instances: int
    overlays: Sequence[Overlay]
    failures: Sequence[Failure]


def _ended_at(progress: Progress) -> datetime:
    ms = progress.finished_at_ms or progress.created_at_ms
    return datetime.fromtimestamp(ms // 1000, UTC)


def _write(asked: Run, settings: Settings, database: Database, batch_id: UUID) -> _Written:
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


def _conclude(asked: Run, written: _Written, *, began: float, rate: float | None) -> Outcome:
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
    names = [str(file.relative_to(asked.out)) for file in files]
    (asked.out / _HOME / "written.json").write_text(json.dumps(names))
    return Outcome(asked.out, summary, scored)


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
