"""What the verbs print: sentences, tables and a progress bar for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
from rich.console import Console, ConsoleDimensions
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.status import Status
from rich.table import Column as BarPart
from rich.text import Text

from maskpool.domain import Progress as BatchProgress
from maskpool.text import one_line, readable
from producer.cli.tables import Column, number, table
from producer.results.records import Failure
from producer.scoring.records import Evaluation

#: Failures that are printed at most.
_MAX_FAILURES = 5

#: Cells of a line where standard output is no terminal and ``COLUMNS`` is not set.
_WIDTH = 80

#: A narrower terminal breaks the lines of a table by itself.
_MIN_WIDTH = 20


class _Console(Console):
    """A console whose output depends on nothing but its own stream.

    Names of batches and images may hold anything: brackets are text, and controls are escaped.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False)
        #: Cells of a line, whatever the stream; None asks the stream.
        self.room: int | None = None

    @property
    def encoding(self) -> str:
        """Of the stream; Rich's own property looks only at a file that was given to it."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    @property
    def size(self) -> ConsoleDimensions:
        """Of the terminal; a pipe or a file has a width of its own, whatever terminal is near."""
        if self.room is not None:
            return ConsoleDimensions(self.room, 25)
        if self.file.isatty():
            return super().size
        given = os.environ.get("COLUMNS", "")
        return ConsoleDimensions(int(given) if given.isdecimal() and int(given) else _WIDTH, 25)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        raise NotImplementedError

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as Rich's
        """Print, with controls escaped in every text."""
        safe = (readable(one) if isinstance(one, str) else one for one in objects)
        super().print(*safe, **options)


console = _Console()
errors = _Console(stderr=True)


def say(sentence: str) -> None:
    """One sentence on standard error, unbroken: it may hold a path."""
    errors.print(sentence, soft_wrap=True)


def warn(sentences: Iterable[str]) -> None:
    """Sentences on standard error that a user should not miss, each on a line of its own."""
    for sentence in sentences:
        errors.print(sentence, style="yellow")


def working(words: str) -> Status:
    """A sign on standard error that something is done, while it is done."""
    plain = not errors.encoding.startswith("utf")
    return errors.status(Text(readable(words)), spinner="line" if plain else "dots")


def print_failures(
    to: Console, failures: Sequence[Failure], count: int, where_all_are: str
) -> None:
    """The first failed images and why; ``count`` is how many there are in all."""
    for failure in failures[:_MAX_FAILURES]:
        to.print(f"failed {one_line(failure.name)}: {one_line(failure.error)}", style="red")
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
            shown = ", ".join(map(one_line, names[:5]))
            console.print(f"left out, {words}: {shown} ({len(names)})", style="yellow")


def print_json(value: object) -> None:
    """One JSON value on standard output, indented; UTF-8, whatever the terminal."""
    sys.stdout.buffer.write(_json(value, orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def print_json_lines(values: Iterator[Mapping[str, object]]) -> None:
    """One JSON object a line, streamed."""
    for value in values:
        sys.stdout.buffer.write(_json(value) + b"\n")
    sys.stdout.flush()


def json_line(value: object) -> str:
    """One JSON value in one line, for standard error."""
    return _json(value).decode()


def _json(value: object, option: int = 0) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError:
        return orjson.dumps(_readable(value), option=option)  # it holds a path that is not UTF-8


def _readable(value: object) -> object:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {_readable(key): _readable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(one) for one in value]
    return value


def print_table(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    *,
    wide: bool = False,
) -> None:
    """A table as wide as the terminal at most; with ``wide``, with all there is."""
    if title:
        console.print(title, soft_wrap=True, style="italic")
    made, width = table(columns, rows, None if wide else max(console.width, _MIN_WIDTH))
    console.room = width
    try:
        console.print(made, crop=False)
    finally:
        console.room = None


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
        "sample": progress.sample and progress.sample.dump(),
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


BATCH_COLUMNS = (
    Column("id"),
    Column("name", least=12),
    Column("owner", least=8, drop=5),
    Column("state", drop=1),
    number("images", drop=3),
    number("done", drop=2),
    number("failed"),
    number("%", drop=4),
    number("GPU s", drop=6),
)

#: Where a column goes that says more of a batch's images.
_AFTER_IMAGES = 5


def print_batches(found: Sequence[BatchProgress], *, wide: bool) -> None:
    """A table of batches; where one is a sample, with a column that says of how many images."""
    columns, rows = list(BATCH_COLUMNS), [list(batch_row(one)) for one in found]
    if any(one.sample for one in found):
        columns.insert(_AFTER_IMAGES, Column("sample of", right=True))
        for row, one in zip(rows, found, strict=True):
            row.insert(_AFTER_IMAGES, f"{one.sample.of:,}" if one.sample else "")
    print_table("", columns, rows, wide=wide)


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
        self._progress.start()  # not before: input that is refused shows no bar
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

    def stop(self) -> None:
        """Draw nothing more."""
        self._progress.stop()


@contextmanager
def bar() -> Iterator[Bar]:
    """A bar on standard error: standard output stays for results."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        # Where there is no room it is cut, not broken over several lines.
        TextColumn("{task.fields[rate]}", table_column=BarPart(no_wrap=True, overflow="ellipsis")),
        console=errors,
    )
    try:
        yield Bar(progress)
    finally:
        progress.stop()


@contextmanager
def counting(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of images on standard error, gone at the end; takes how many of how many are done."""
    if not shown:
        yield lambda _done, _total: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    progress = Progress(*columns, console=errors, transient=True)
    task = progress.add_task("images", total=None)

    def tell(done: int, total: int) -> None:
        # Not before: somebody may be asked something first, and a bar would draw over it.
        progress.start()
        progress.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        progress.stop()


def _iso(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().isoformat(timespec="seconds")
