"""``export``: batches become a dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from maskpool import exits
from maskpool.errors import SpecError
from maskpool.fineness import Fineness
from maskpool.text import counted, storable
from producer.cli import options, render

if TYPE_CHECKING:  # imported only when a verb runs
    from producer.export import Exported
    from producer.finer_estimate import Estimate

#: Seconds that finer masks may take without a question.
_LONG = 600

#: As ``--out``; a file of that name is ``./-``.
_STANDARD_OUTPUT = Path("-")


def export(
    batch: Annotated[
        list[str],
        typer.Argument(
            help="Ids or names; several over one source are merged.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The file or folder to write; - is standard output; default coco.json.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", "-f", help="coco.")] = "coco",
    threshold: options.OwnThreshold = None,
    max_overlap: options.OwnOverlap = None,
    max_against: options.OwnAgainst = None,
    exclusive: options.OwnExclusive = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also of a batch that was cancelled or goes on.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, even if an interrupted export could go on.")
    ] = False,
    refine: options.Refine = Fineness.NONE,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, however long finer masks take.")
    ] = False,
    as_json: options.AsJson = False,
) -> int:
    """Write batches as a dataset; batches over the same images become one.

    The same command goes on with what an interrupted export left beside its target. Ends with 3
    where images have no result because they failed.
    """
    from maskpool.reading import ReadingChanges
    from producer.export import export as write
    from producer.pool import open_pool

    if yes and refine is Fineness.NONE:
        raise SpecError("--yes", "is about --refine, which alone asks; leave it out")
    stream = sys.stdout.buffer if out == _STANDARD_OUTPUT else None
    with open_pool() as pool, render.counting(shown=refine is not Fineness.NONE) as on_image:
        written = write(
            pool,
            batch,
            out,
            stream=stream,
            form=form,
            changes=ReadingChanges(threshold, max_overlap, max_against, exclusive),
            allow_partial=partial,
            fresh=fresh,
            refine=refine,
            on_image=on_image,
            on_estimate=lambda estimate: _agree(estimate, yes=yes),
            say=render.say,
        )
    # A dataset may be on standard output, under whatever name; nothing may be mixed into it.
    piped = stream is not None or written.target.is_fifo()
    if not as_json:
        _print_export(render.errors if piped else render.console, written)
    elif not piped:
        render.print_json(_as_json(written, refine))
    else:
        render.say(render.json_line(_as_json(written, refine)))
    return exits.SOME_FAILED if written.failed else exits.OK


def _agree(estimate: Estimate, *, yes: bool) -> None:
    """Say how long finer masks will take, and ask where that is long and somebody is there.

    Raises:
        typer.Abort: They do not want it.
    """
    render.say(estimate.sentence)
    if yes or estimate.seconds <= _LONG:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        # Standard output may be the dataset.
        typer.confirm("go on?", abort=True, err=True)
    else:
        render.say("it goes on, as nobody is there to be asked; --refine low takes the least")


def _as_json(written: Exported, refine: Fineness) -> dict[str, object]:
    return {
        "file": storable(str(written.target)),
        "images": written.images,
        "annotations": written.annotations,
        "failed": written.failed,
        "failures": [{"image": one.name, "error": one.error} for one in written.failures],
        "unfinished": written.unfinished,
        **written.empty.json(),
        **({} if refine is Fineness.NONE else {"refine": written.finer.json(refine)}),
        "notes": list(written.notes),
    }


def _print_export(console: Console, written: Exported) -> None:
    console.print(
        f"{written.target}: {counted(written.images, 'image')}, "
        f"{counted(written.annotations, 'instance')}, "
        f"{counted(len(written.categories), 'category', 'categories')}",
        soft_wrap=True,
    )
    lacks = []
    if written.unfinished:
        lacks.append(
            counted(
                written.unfinished,
                "image has no result and is not in it",
                "images have no result and are not in it",
            )
        )
    if written.failed:
        lacks.append(
            counted(
                written.failed,
                "image failed and is not in it; its info names it",
                "images failed and are not in it; its info names them",
            )
        )
    for sentence in (*lacks, *written.notes):
        console.print(sentence, style="yellow")
    render.print_failures(console, written.failures, written.failed, "the file's info")
