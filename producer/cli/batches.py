"""Verbs that change a batch: pause, resume, cancel, retry, rm."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from maskpool.text import counted, one_line
from producer.cli import options, render


def pause(batch: options.Batch) -> None:
    """Dispatch nothing more of a batch; work in hand stops after the micro-batch."""
    from producer import batches
    from producer.pool import open_pool

    with open_pool() as pool:
        _say(batches.pause(pool, batch), "paused")


def resume(batch: options.Batch) -> None:
    """Go on with a paused batch."""
    from producer import batches
    from producer.pool import open_pool

    with open_pool() as pool:
        _say(batches.resume(pool, batch), "resumed")


def cancel(batch: options.Batch) -> None:
    """End a batch now; nothing more of it is accepted, what is done stays readable."""
    from producer import batches
    from producer.pool import open_pool

    with open_pool() as pool:
        _say(batches.cancel(pool, batch), "cancelled")


def retry(
    batch: options.Batch,
    failed: Annotated[
        bool, typer.Option("--failed", help="Required: only failed jobs can be retried.")
    ] = False,
) -> None:
    """Give the failed jobs of a batch that is done another try."""
    from producer import batches
    from producer.pool import open_pool

    if not failed:
        raise typer.BadParameter("say --failed: done jobs keep their masks", param_hint="--failed")
    with open_pool() as pool:
        retried = batches.retry_failed(pool, batch)
    _say(retried.batch_id, f"retrying {counted(retried.images, 'image')}")


def remove(
    batch: options.Batch,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a batch that has ended: its rows, its masks and its uploaded images."""
    from producer import batches
    from producer.pool import open_pool

    with open_pool() as pool:
        progress = batches.progress(pool, pool.find(batch))
        if not yes:
            name = one_line(progress.name)
            typer.confirm(f"delete {name} and its {counted(progress.done, 'result')}?", abort=True)
        removed = batches.remove(pool, progress.batch_id)
    _say(removed.batch_id, f"removed, with {counted(removed.objects, 'object')}")


def _say(batch_id: UUID, words: str) -> None:
    render.console.print(f"{batch_id}  {words}")
