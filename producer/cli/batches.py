"""Verbs that change a batch: submit, pause, resume, cancel, retry, rm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from maskpool.domain import DEFAULT_THRESHOLD, Klass, Priority, new_id
from maskpool.errors import SourceError, Transient
from maskpool.settings import Settings
from maskpool.spec import BatchSpec, ReadingSettings, read_prompts
from producer.cli import options, render
from producer.cli.connect import Pool, pool
from producer.cli.idle import warn_if_idle

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from sqlalchemy.orm import Session

    from producer.sources import Source

#: Images of a source that are looked at before it is submitted.
_LOOKED_AT = 1_000


def submit(
    source: options.Source,
    prompt: options.Prompts,
    name: Annotated[str, typer.Option(help="For people; the source's name if not given.")] = "",
    model: options.Model = None,
    threshold: options.Threshold = DEFAULT_THRESHOLD,
    priority: Annotated[Priority, typer.Option(help="Among your own batches.")] = Priority.NORMAL,
    now: Annotated[
        bool, typer.Option("--now", help="Someone is waiting: before all bulk.")
    ] = False,
    key: Annotated[
        str,
        typer.Option(help="Idempotency key: the same again is the same batch, or resumes it."),
    ] = "",
    no_upload: Annotated[
        bool,
        typer.Option("--no-upload", help="Workers see the same paths: copy nothing to the store."),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Submit images and prompts to the pool, as one batch."""
    prompts = read_prompts(prompt)
    with pool() as here:
        from producer.sources import open_source
        from producer.submit import Submission, Submitter

        alias_name = model or here.settings.model
        alias = here.settings.alias(alias_name)
        reading = ReadingSettings(threshold=threshold, max_overlap=alias.max_overlap)
        spec = BatchSpec.of(alias_name, prompts, reading)
        _require_bucket(source, here.settings)
        opened = open_source(
            source,
            endpoint_url=here.settings.s3_endpoint_url,
            hosts=here.settings.source_hosts,
        )
        on_s3 = here.settings.store_url.startswith("s3://")
        upload = on_s3 and not no_upload and opened.kind != "s3"
        if not upload and opened.root is not None and _names_files(opened):
            _require_root(opened.root, here.settings)
        asked = Submission(
            source=opened,
            spec=spec,
            owner=here.settings.owner_name,
            key=key or str(new_id()),
            name=name,
            klass=Klass.NOW if now else Klass.BULK,
            priority=priority,
        )
        warn_if_idle(here, alias_name)
        submitter = Submitter(here.database, here.wake, here.store() if upload else None)
        with render.errors.status("loading") as line:
            try:
                done = submitter.submit(asked, lambda n: line.update(f"{n:,} images loaded"))
            except (KeyboardInterrupt, Transient):
                # What was loaded stays, and whether the last COMMIT went through nobody can say.
                render.errors.print(
                    f"interrupted; go on with the same command and --key {asked.key}"
                )
                raise
        if as_json:
            render.print_json({"id": str(done.batch_id), "total": done.total, "new": done.created})
            return
        word = "submitted" if done.created else "was submitted before"
        render.console.print(f"{done.batch_id}  {word}: {done.total:,} images")
        render.errors.print(f"watch it: maskpool status --watch {done.batch_id}", style="dim")


def _require_root(folder: Path, settings: Settings) -> None:
    """Refuse at once what every worker would refuse image by image."""
    if settings.source_roots and not any(
        folder.is_relative_to(allowed) for allowed in settings.source_roots
    ):
        allowed = ", ".join(str(one) for one in settings.source_roots)
        raise SourceError(
            str(folder),
            f"the workers read images under {allowed} only; start the stack with "
            f"maskpool up --root {folder}, or add it to MASKPOOL_SOURCE_ROOTS",
        )


def _names_files(source: Source) -> bool:
    """Whether a source's first images are files here; a list of URLs may lie anywhere."""
    from itertools import islice

    from storage.uris import path_of

    return any(path_of(ref.uri) for ref in islice(source.refs(), _LOOKED_AT))


def _require_bucket(source: str, settings: Settings) -> None:
    """As above, for a bucket that no worker may read."""
    from storage.uris import split_s3

    place = split_s3(source)
    own = f"{source}/".startswith(f"{settings.store_url.rstrip('/')}/")
    if place and place[0] not in settings.source_buckets and not own:
        raise SourceError(
            source,
            f"workers read the store and MASKPOOL_SOURCE_BUCKETS only; add {place[0]!r} to it, "
            "on the workers and here",
        )


def pause(batch: options.Batch) -> None:
    """Dispatch nothing more of a batch; work in hand stops after the micro-batch."""
    from db import batches

    _move(batch, batches.pause, "paused")


def resume(batch: options.Batch) -> None:
    """Go on with a paused batch."""
    from db import batches

    _move(batch, batches.resume, "resumed")


def cancel(batch: options.Batch) -> None:
    """End a batch now; nothing more of it is accepted, what is done stays readable."""
    from db import batches

    _move(batch, batches.cancel, "cancelled")


def retry(
    batch: options.Batch,
    failed: Annotated[
        bool, typer.Option("--failed", help="Required: only failed jobs can be retried.")
    ] = False,
) -> None:
    """Give the failed jobs of a batch that is done another try."""
    from db import batches

    if not failed:
        raise typer.BadParameter("say --failed: done jobs keep their masks", param_hint="--failed")
    with pool() as here:
        batch_id = here.find(batch)
        with here.database.write() as session:
            count = batches.retry_failed(session, batch_id)
        _say(here, batch_id, f"retrying {count} images")


def remove(
    batch: options.Batch,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a batch that has ended: its rows, its masks and its uploaded images."""
    from db import batches, lookup
    from storage.objects import keys

    with pool() as here:
        batch_id = here.find(batch)
        with here.database.read() as session:
            progress = lookup.progress(session, batch_id)
        if not yes:
            typer.confirm(f"delete {progress.name} and its {progress.done:,} results?", abort=True)
        with here.database.write() as session:
            batches.remove(session, batch_id)
        # Rows first: an object without a row is garbage, a row without its object is a lie.
        store = here.store()
        prefixes = (keys.masks_prefix(batch_id), keys.sources_prefix(batch_id))
        count = sum(store.delete(found.key for found in store.list(prefix)) for prefix in prefixes)
        render.console.print(f"{batch_id}  removed, with {count} objects")


def _move(batch: str, move: Callable[[Session, UUID], None], word: str) -> None:
    """Move a batch to another state, tell the dispatcher and the user."""
    with pool() as here:
        batch_id = here.find(batch)
        with here.database.write() as session:
            move(session, batch_id)
        _say(here, batch_id, word)


def _say(here: Pool, batch_id: UUID, word: str) -> None:
    here.wake()
    render.console.print(f"{batch_id}  {word}")
