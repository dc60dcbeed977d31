"""Batches become a dataset: one file or folder in a format that training tools read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from db import lookup
from maskpool.errors import Conflict, NotFound, SpecError
from producer.formats import FORMATS
from producer.pool import Pool
from producer.results import reader


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        target: The file or folder.
        images: Images in it.
        annotations: Instances in it.
        categories: Their names, in order.
    """

    target: Path
    images: int
    annotations: int
    categories: Sequence[str]


def export(
    pool: Pool,
    references: Sequence[str],
    target: Path | None = None,
    *,
    form: str = "coco",
    threshold: float | None = None,
    max_overlap: float | None = None,
    allow_partial: bool = False,
    fresh: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write batches as a dataset; batches over the same images become one.

    What an interrupted export left beside the target is taken up by the same call.

    Args:
        pool: Where the batches are.
        references: Ids or names of the batches, at least one.
        target: The file or folder to write; an older export there is replaced at the end. None is
            the format's own name in the present folder.
        form: A key of ``FORMATS``.
        threshold: Lowest score that counts instead of each batch's own.
        max_overlap: Highest overlap that counts instead of each batch's own.
        allow_partial: Also of batches that have not ended.
        fresh: Start over, whatever an interrupted export left.
        say: Takes sentences for the user.

    Raises:
        SpecError: The format is not known.
        NotFound: There is no such batch, or no folder to write in.
        Conflict: A batch has not ended, or the target is in use or holds something else.
        CorruptObject: A mask object is damaged or gone; names it.
        Unreachable: Database or store is away.
    """
    if form not in FORMATS:
        raise SpecError("format", f"{form!r} is not known; there is {', '.join(FORMATS)}")
    target = target or Path(FORMATS[form].default_target)
    views = [
        reader.view(pool.database, batch_id, threshold=threshold, max_overlap=max_overlap)
        for batch_id in _readable(pool, references, allow_partial=allow_partial)
    ]
    if not target.absolute().parent.is_dir():
        raise NotFound(f"there is no folder {target.absolute().parent} to write {target.name} in")
    categories = reader.merged_categories(views)
    counts = FORMATS[form].write(
        target,
        categories,
        partial(reader.read_images, pool.database, pool.store(), views),
        {"description": f"maskpool batches {', '.join(str(view.batch_id) for view in views)}"},
        fresh=fresh,
        say=say,
    )
    return Exported(target, counts.images, counts.annotations, categories)


def _readable(pool: Pool, references: Sequence[str], *, allow_partial: bool) -> Iterator[UUID]:
    for reference in dict.fromkeys(references):
        batch_id = pool.find(reference)
        with pool.database.read() as session:
            progress = lookup.progress(session, batch_id)
        if not progress.ended and not allow_partial:
            raise Conflict(
                f"batch {batch_id} is {progress.state.label}, {progress.remaining:,} images to "
                "go; wait for it (maskpool status --watch), or say --partial"
            )
        yield batch_id
