"""What the verbs print: sentences, tables and a progress bar for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from maskpool.domain import Progress as BatchProgress
from producer.results.records import Failure
from producer.scoring.records import Evaluation

#: Failures that are printed at most.
_MAX_FAILURES = 5

# Names of batches and images may hold brackets: text is text, and styles are given apart.
console = Console(markup=False, highlight=False)
errors = Console(stderr=True, markup=False, highlight=False)


def say(sentence: str) -> None:
    """One sentence on standard error, unbroken: it may hold a path."""
    errors.print(sentence, soft_wrap=True)


def warn(sentences: Iterable[str]) -> None:
    """Sentences on standard error that a user should not miss, each on a line of its own."""
    for sentence in sentences:
        errors.print(sentence, style="yellow")


def print_failures(
    to: Console, failures: Sequence[Failure], count: int, where_all_are: str
) -> None:
    """The first failed images and why; ``count`` is how many there are in all."""
    for failure in failures[:_MAX_FAILURES]:
        to.print(f"failed {failure.name}: {failure.error}", style="red")
    if count > _MAX_FAILURES:
        to.print(f"… and {count - _MAX_FAILURES:,} more in {where_all_are}")


def print_left_out(found: Evaluation) -> None:
    """What only one of two files has, and no score counts."""
    for words, names in (
        ("images only in the truth", found.images_only_in_truth),
        ("images only in the prediction", found.images_only_in_prediction),
        ("categories only in the truth", found.categories_only_in_truth),
        ("categories only in the prediction", found.categories_only_in_prediction),
    ):
        if names:
            console.print(
                f"left out, {words}: {', '.join(names[:5])} ({len(names)})", style="yellow"
            )


def print_json(value: object) -> None:
    """One JSON value on standard output, indented."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def print_json_lines(values: Iterator[Mapping[str, object]]) -> None:
    """One JSON object a line, streamed."""
    for value in values:
        sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; columns whose name starts with ``#`` are numbers, set right, and ``id`` is whole."""
    table = Table(
        title=Text(title), title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    for column in columns:
        right = column.startswith("#")
        table.add_column(
            column.lstrip("#"),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=column == "id",
        )
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    console.print(table)


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    return Text("" if value is None else str(value))


def batch_json(progress: BatchProgress) -> dict[str, object]:
    """A batch's progress for programs."""
    return {
        "id": str(progress.batch_id),
        "name": progress.name,
        "owner": progress.owner,
        "state": progress.state.label,
        "class": progress.klass.label,
        "priority": str(progress.priority),
        "model": progress.model,
        "total": progress.total,
        "loaded": progress.loaded,
        "done": progress.done,
        "failed": progress.failed,
        "remaining": progress.remaining,
        "gpu_seconds": round(progress.gpu_seconds, 3),
        "created_at": _iso(progress.created_at_ms),
        "finished_at": _iso(progress.finished_at_ms),
    }


def batch_row(progress: BatchProgress) -> tuple[object, ...]:
    """A batch's progress for people; the order of ``BATCH_COLUMNS``."""
    share = (progress.done + progress.failed) / progress.total if progress.total else 0.0
    return (
        progress.batch_id,
        progress.name,
        progress.owner,
        progress.state.label,
        progress.total or progress.loaded,
        progress.done,
        progress.failed,
        f"{share:.0%}",
        f"{progress.gpu_seconds:.1f}",
    )


BATCH_COLUMNS = ("id", "name", "owner", "state", "#images", "#done", "#failed", "#", "#GPU s")


def duration(seconds: float | None) -> str:
    """A time that is left, as people say it."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Bar:
    """A live bar of one batch: images, images a second, time to go."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None, rate="")

    def show(
        self, batch: BatchProgress | None, images_per_s: float | None, seconds_left: float | None
    ) -> None:
        """Draw the present state; ``batch`` is None while no worker is ready."""
        if batch is None:
            self._progress.update(self._task, description="loading models")
            return
        words = (
            ""
            if images_per_s is None
            else f"{images_per_s:.1f} images/s · {duration(seconds_left)} left"
        )
        if batch.failed:
            words += f" · {batch.failed} failed"
        self._progress.update(
            self._task,
            description=batch.state.label,
            total=batch.total,
            completed=batch.done + batch.failed,
            rate=words,
        )


@contextmanager
def bar() -> Iterator[Bar]:
    """A bar on standard error: standard output stays for results."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        console=errors,
    ) as progress:
        yield Bar(progress)


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().isoformat(timespec="seconds")
