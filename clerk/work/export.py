"""``export``: write batches as a data set into the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from clerk.scratch import scratch_folder
from clerk.work.port import Finished, Work
from db import lookup
from db.tasks import TakenTask
from maskpool import failpoints
from maskpool.errors import SpecError
from maskpool.fineness import Fineness
from maskpool.ports import ObjectStore
from maskpool.reading import ReadingChanges, Share
from maskpool.strict import Strict
from producer import marks
from producer.export import Exported, export
from producer.formats import FORMATS
from producer.report.safe_names import SafeNames
from storage.objects import keys

#: Failed images that the result names; the data set's own ``info`` names all.
_MAX_FAILURES = 100


class ExportArgs(Strict):
    """What to write, as ``maskpool export`` is told it.

    Attributes:
        batches: At least one; several over the same images become one data set.
        format: A key of ``FORMATS``.
        threshold: Least score, of every prompt, instead of what each batch says.
        max_overlap: Likewise; 1 keeps duplicates.
        max_against: Likewise; 1 lets all count that negatives explain.
        exclusive: Likewise; whether an object belongs to one prompt alone.
        partial: Also of batches that were cancelled or go on.
        refine: How fine the masks are made on the way.
    """

    batches: tuple[UUID, ...] = Field(min_length=1, max_length=100)
    format: str = "coco"
    threshold: Share | None = None
    max_overlap: Share | None = None
    max_against: Share | None = None
    exclusive: bool | None = None
    partial: bool = False
    refine: Annotated[Fineness, Field(strict=False)] = Fineness.NONE

    @property
    def changes(self) -> ReadingChanges:
        """What counts instead of what each batch says itself."""
        return ReadingChanges(self.threshold, self.max_overlap, self.max_against, self.exclusive)


def do(work: Work) -> Finished:
    """See ``Kind.do``. Each try writes under a key of its own, so a late clerk changes nothing."""
    args = ExportArgs.read(work.task.args)
    if args.format not in FORMATS:
        raise SpecError("format", f"{args.format!r} is not known; there is {', '.join(FORMATS)}")
    store = work.pool.store()
    _clear_earlier_tries(work, store)
    with scratch_folder() as folder:
        written = export(
            work.pool,
            [str(batch_id) for batch_id in args.batches],
            folder / FORMATS[args.format].default_target,
            form=args.format,
            changes=args.changes,
            allow_partial=args.partial,
            fresh=True,
            refine=args.refine,
            on_image=lambda done, total: work.step(done=done, total=total),
        )
        saved_as = _saved_as(work, args)
        files = [_put(work, store, folder, path, saved_as) for path in _files(written.target)]
    finer = {} if args.refine is Fineness.NONE else {"refine": written.finer.json(args.refine)}
    return Finished({"files": files, **_told(written), **finer})


def undo(session: Session, task: TakenTask) -> None:
    """Nothing: what is in the store goes with the task's row."""


def _clear_earlier_tries(work: Work, store: ObjectStore) -> None:
    mine = keys.export_object(work.task.id, work.task.lease_id, "")
    others = [
        one.key
        for one in store.list(keys.exports_prefix(work.task.id))
        if not one.key.startswith(mine)
    ]
    store.delete(others)


def _files(target: Path) -> Iterator[Path]:
    """The file, or all files of the folder but the mark of an export on a disk."""
    if target.is_file():
        yield target
        return
    for path in sorted(target.rglob("*")):
        if path.is_file() and path.name != marks.EXPORT:
            yield path


def _saved_as(work: Work, args: ExportArgs) -> str:
    """What the file is called where somebody saves it; empty: as it is called here."""
    if len(args.batches) != 1:
        return ""
    with work.pool.database.read() as session:
        name = lookup.progress(session, args.batches[0]).name
    # A name may hold anything, and a slash is no folder here.
    plain = name.replace("/", "_").replace("\\", "_")
    return f"{SafeNames('').claim(f'{plain}.json')}-{FORMATS[args.format].default_target}"


def _put(work: Work, store: ObjectStore, folder: Path, path: Path, saved_as: str) -> dict[str, Any]:
    work.step()
    name = path.relative_to(folder).as_posix()
    key = keys.export_object(work.task.id, work.task.lease_id, name)
    store.put_file(key, path)
    failpoints.reach("task.stored")
    told = {"name": name, "key": key, "bytes": path.stat().st_size}
    # Of a folder of many files, each keeps its own name.
    return {**told, "saved_as": saved_as} if saved_as and saved_as.endswith(f"-{name}") else told


def _told(written: Exported) -> dict[str, Any]:
    return {
        "images": written.images,
        "annotations": written.annotations,
        "categories": list(written.categories),
        "failed": written.failed,
        "failures": [asdict(one) for one in written.failures[:_MAX_FAILURES]],
        "unfinished": written.unfinished,
        "notes": list(written.notes),
    }
