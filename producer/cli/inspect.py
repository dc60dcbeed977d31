"""``ls`` and ``status``: which batches there are, and how far one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from maskpool import exits
from maskpool.domain import BatchState
from maskpool.text import counted
from producer.cli import options, render
from producer.cli.tables import Column, number

if TYPE_CHECKING:  # SQLAlchemy is imported only when a verb runs
    from producer.contending import Contending
    from producer.pool import Pool

#: Pairs of prompts that ``status`` names at most.
_MAX_PAIRS = 5

_PROMPTS = (Column("prompt", least=12), number("instances"))
_WORKERS = (
    Column("worker", least=12),
    Column("model", least=8),
    Column("device", drop=1),
    number("images/s", drop=2),
)


def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> None:
    """List batches, newest first."""
    from producer import batches
    from producer.pool import open_pool

    with open_pool() as pool:
        owner = pool.settings.owner_name if mine else None
        found = batches.recent(pool, limit=limit, owner=owner)
    if as_json:
        render.print_json([render.batch_json(one) for one in found])
    else:
        render.print_batches(found, wide=wide)


def status(
    batch: Annotated[
        str | None, typer.Argument(help="Id or name; without: the whole pool.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Until it ends.")] = False,
    wide: options.Wide = False,
    as_json: options.AsJson = False,
) -> int:
    """Show how far a batch is, or how the pool is."""
    from producer.pool import open_pool

    with open_pool() as pool:
        if batch is None:
            _show_pool(pool, wide=wide, as_json=as_json)
            return exits.OK
        return _show_batch(pool, batch, watch=watch, wide=wide, as_json=as_json)


def _show_batch(pool: Pool, batch: str, *, watch: bool, wide: bool, as_json: bool) -> int:
    from producer import batches
    from producer.contending import contending
    from producer.pool import why_idle

    batch_id = pool.find(batch)
    progress = batches.progress(pool, batch_id)
    if progress.state == BatchState.ACTIVE:
        render.warn(why_idle(pool, progress.model))
    if watch:
        with render.bar() as bar:
            for now, pace in batches.watch(pool, batch_id):
                bar.show(now, *pace)
        progress = batches.progress(pool, batch_id)
    if as_json:
        render.print_json(render.batch_json(progress))
    else:
        render.print_batches([progress], wide=wide)
        counts = batches.count_instances(pool, batch_id)
        rows = [(name, f"{count:,}") for name, count in counts.items()]
        render.print_table("\nfound so far", _PROMPTS, rows, wide=wide)
        _show_contending(contending(pool, batch_id))
    return exits.SOME_FAILED if progress.ended and progress.failed else exits.OK


def _show_contending(pairs: Sequence[Contending]) -> None:
    for pair in pairs[:_MAX_PAIRS]:
        where = f" in a sample of {counted(pair.images, 'image')}" if pair.images else ""
        render.console.print(
            f"{pair.one} and {pair.other} often found the same object, "
            f"{counted(pair.instances, 'time')}{where}"
        )


def _show_pool(pool: Pool, *, wide: bool, as_json: bool) -> None:
    from producer.pool import why_idle

    alive = pool.living_workers()
    render.warn(why_idle(pool))
    if as_json:
        render.print_json(
            [
                {**asdict(one), "id": str(one.id), "abilities": sorted(one.abilities)}
                for one in alive
            ]
        )
        return
    rows = [
        (one.name, one.model, one.device, one.images_per_s and f"{one.images_per_s:.1f}")
        for one in alive
    ]
    render.print_table(f"{counted(len(rows), 'worker')} alive", _WORKERS, rows, wide=wide)
