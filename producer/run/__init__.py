"""One source from images to a dataset, on a private stack: start, submit, wait, write, stop."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from db import lookup, workers
from db.session import Database
from maskpool.domain import Progress
from maskpool.errors import Option, SourceError
from maskpool.glossary import shipped
from maskpool.settings import Settings
from maskpool.spec import BatchSpec, question_of
from producer.abilities import require_abilities
from producer.changes import counted, written_since
from producer.dispatch.broker import Broker
from producer.formats.coco.read import read_coco
from producer.glossary import composed_with, sentences
from producer.local.stack import Stack
from producer.results.progress import Speed
from producer.run import folder as run_folder
from producer.run.records import Run, RunResult
from producer.run.results import conclude, write_results
from producer.sources import Source, open_source
from producer.sources.boxed import BoxedSource
from producer.sources.granted import Grants, granted_by
from producer.sources.passed import PassedOver
from producer.submission import Draft, Submission, left_out_boxes, require_all_boxes
from producer.submit import Submitter

#: Seconds between two readings of the progress.
_POLL_SECONDS = 0.1

#: Called with the progress, images a second and seconds left; None where not known yet.
OnProgress = Callable[[Progress | None, float | None, float | None], None]


def run(
    asked: Run,
    settings: Settings,
    on_progress: OnProgress,
    say: Callable[[str], None] = lambda _: None,
    stay: Callable[[RunResult, Stack], None] | None = None,
) -> RunResult:
    """Annotate a source into a folder; whatever happens, no process stays behind.

    An earlier result in the folder stays until the new one is whole.

    Args:
        asked: What.
        settings: ``model`` and the worker's settings count; ``home`` is replaced.
        on_progress: Called often; with None while the workers load their models.
        say: Takes sentences for the user.
        stay: Called when all is written, while the stack still runs, with a web server.

    Raises:
        SpecError, SourceError: The input is refused; nothing was started, or, where only the
            scoring is refused, everything else was written.
        Conflict: ``out`` holds something else, or the run to resume was asked something else.
    """
    began = time.monotonic()
    sent = composed_with(shipped, asked.asked)
    for sentence in sentences(sent):
        say(sentence)
    draft = Draft.of(settings, sent)
    source = open_source(
        asked.source, endpoint_url=settings.s3_endpoint_url, own_store=settings.store_url
    )
    if asked.boxes is not None:
        source = BoxedSource(source, asked.boxes)
    spec = draft.spec(source)
    grants = granted_by(source)
    passed = PassedOver()
    _require_images(source, spec, asked.truth, passed)
    if asked.strict:
        passed.require_nothing(source.text)
        require_all_boxes(source)
    question = run_folder.new_question(asked.source, question_of(spec.dump()))
    with (
        run_folder.taken(asked.out, question, resume=asked.resume, say=say) as folder,
        Stack(
            _private(folder.home, grants, settings),
            source_roots=grants.roots,
            workers=asked.workers,
            web=stay is not None,
        ) as stack,
    ):
        database = Database(stack.settings.database_url.get_secret_value())
        broker = Broker(stack.settings.redis_url.get_secret_value())
        try:
            submission = Submission(
                source,
                spec,
                settings.owner_name,
                _key(asked.source, spec),
                reading=draft.reading,
                if_changed="begin the run anew",
                option=Option.ANEW,
            )
            batch_id = Submitter(database, broker.wake).submit(submission).batch_id
            changed = written_since(source.refs(), folder.question.began) if folder.resumed else []
            if changed:
                say(
                    f"since the run began {counted('changed', changed)}; their masks may be of "
                    "the earlier pictures; begin the run anew to be sure"
                )
            rate = _wait_for_end(database, stack, batch_id, spec, on_progress)
            written = write_results(
                asked, folder.begin_results(), stack.settings, database, batch_id
            )
            result = conclude(
                asked,
                folder,
                written,
                began=began,
                rate=rate,
                changed=changed,
                passed=passed,
                boxes=left_out_boxes(source),
            )
            if stay is not None:
                stay(result, stack)
            return result
        finally:
            broker.close()
            database.close()


def _require_images(
    source: Source, spec: BatchSpec, truth: Path | None, passed: PassedOver
) -> None:
    """Refuse now what would be refused after hours of work, before anything is touched.

    Args:
        source: Of the images; read to its end.
        spec: What is asked of them.
        truth: COCO file to score against, or None.
        passed: Counts what the source passes over.

    Raises:
        SourceError: The source is refused or empty, or the truth has nothing of it.
    """
    names = (ref.name for ref in source.refs(passed))
    first = next(names, None)
    if first is None:
        raise passed.no_image(source.text)
    if truth is None:
        deque(names, maxlen=0)  # a line that is refused is refused here
        return
    right = read_coco(truth)
    if not sum(name in right.sizes for name in chain([first], names)):
        raise SourceError(
            str(truth),
            f"no image of {source.text} is in it; images are matched by file_name, here e.g. "
            f"{min(right.sizes, default='none')!r}, there {first!r}",
        )
    wanted = spec.categories
    if not set(wanted) & set(right.categories):
        raise SourceError(
            str(truth),
            f"no prompt is a category of it; they are matched by name, here e.g. "
            f"{min(right.categories, default='none')!r}, there {wanted[0]!r}",
        )


def _private(home: Path, grants: Grants, settings: Settings) -> Settings:
    """The settings of the run's own stack, which may read what its source names."""
    update: dict[str, object] = {"home": home, "store_url": ""}
    if settings.database_url.get_secret_value():
        # The environment names a pool; a run must not join it, nor read its messages.
        update |= {"database_url": SecretStr(""), "redis_url": SecretStr("")}
    return grants.added_to(settings).model_copy(update=update)


def _key(source: str, spec: BatchSpec) -> str:
    """A key made of what is asked, so that the same run again goes on with an interrupted one."""
    question = json.dumps(question_of(spec.dump()), sort_keys=True)
    asked = f"{Path(source).absolute()}\0{question}"
    return hashlib.sha256(os.fsencode(asked)).hexdigest()[:32]


def _wait_for_end(
    database: Database, stack: Stack, batch_id: UUID, spec: BatchSpec, on_progress: OnProgress
) -> float | None:
    """Wait for the end; returns images a second since a worker was ready.

    Loading a model once says nothing of a pool's speed, so it is not counted.

    Raises:
        ConfigError: The model cannot do what is asked.
    """
    speed = Speed()
    ready: tuple[float, int] | None = None
    while True:
        stack.watch()
        with database.read() as session:
            progress = lookup.progress(session, batch_id)
            # A worker that cannot do it gives it back for ever.
            require_abilities(session, spec)
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
