"""Reading COCO instance files, ours and other people's, with every refusal naming its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from maskpool import rle
from maskpool.errors import SourceError
from producer.formats.coco.document import load
from producer.formats.coco.fields import Entry, entries, shown
from producer.formats.coco.rows import image_size, is_crowd, is_of_object, known, score_of
from producer.formats.coco.segmentation import require_box, runs_of

Value = TypeVar("Value", int, str)


@dataclass(frozen=True, slots=True)
class CocoMask:
    """One annotation.

    Attributes:
        runs: Its mask.
        box_xyxy: Tight around the mask, pixels; right and bottom are exclusive.
        score: In [0, 1]; 1 where the file has none.
        crowd: It stands for many objects at once.
        of_object: A box or points gave it, so it counts at every threshold, as on reading.
    """

    runs: rle.Runs
    box_xyxy: tuple[int, int, int, int]
    score: float
    crowd: bool
    of_object: bool = False


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A dataset by names, so that two files meet whatever their ids.

    Attributes:
        path: Where it was read.
        sizes: ``(height, width)`` by ``file_name``, in the file's order.
        categories: Names, in the file's order.
        masks: By ``(file_name, category)``; pairs without annotations are left out.
        refined: How fine an export of ours made its masks; empty: as they are stored.
    """

    path: Path
    sizes: Mapping[str, tuple[int, int]]
    categories: tuple[str, ...]
    masks: Mapping[tuple[str, str], list[CocoMask]]
    refined: str = ""


def read_coco(path: Path) -> CocoFile:
    """Read a COCO instances file whole.

    Compressed and uncompressed RLE are read as they are, polygons where pycocotools is installed.
    Types are exact (``fields``), ids and names are unique, numbers are finite and within the sense
    of their image. ``bbox`` and ``area`` are checked as numbers and not used: the mask says both.

    Raises:
        SourceError: The file cannot be read or is no COCO instances file; names the entry.
    """
    try:
        return _dataset(path, load(path))
    except MemoryError:
        reason = "takes more memory than there is; split it by images"
        raise SourceError(str(path), reason) from None


def _dataset(path: Path, data: dict[str, Any]) -> CocoFile:
    images, labels = entries(path, data, "images"), entries(path, data, "categories")
    names = _names_by_id(images, "file_name")
    categories = _names_by_id(labels, "name")
    sizes = {image.values["file_name"]: image_size(image) for image in images}
    masks: dict[tuple[str, str], list[CocoMask]] = {}
    annotations = entries(path, data, "annotations")
    _refuse_repeated([one for one in annotations if "id" in one.values], "id", Entry.whole)
    for one in annotations:
        name = known(one, "image_id", names)
        category = known(one, "category_id", categories)
        masks.setdefault((name, category), []).append(_mask(one, sizes[name]))
    return CocoFile(path, sizes, tuple(categories.values()), masks, _refined(data))


def _refined(data: dict[str, Any]) -> str:
    """What ``info`` says of finer masks; nobody else's ``info`` has a form."""
    info = data.get("info")
    said = info.get("refine") if isinstance(info, dict) else None
    asked = said.get("asked") if isinstance(said, dict) else None
    return asked if isinstance(asked, str) else ""


def _names_by_id(rows: Sequence[Entry], field: str) -> dict[int, str]:
    ids = _refuse_repeated(rows, "id", Entry.whole)
    names = _refuse_repeated(rows, field, Entry.text)
    return dict(zip(ids, names, strict=True))


def _refuse_repeated(
    rows: Sequence[Entry], field: str, read: Callable[[Entry, str], Value]
) -> list[Value]:
    """The values of a field, each of which only one entry may have."""
    first: dict[Value, Entry] = {}
    for row in rows:
        value = read(row, field)
        other = first.setdefault(value, row)
        if other is not row:
            what = "ids" if field == "id" else "names, by which files are matched,"
            reason = f"{field} {shown(value)} occurs twice: {other.where} has it, too"
            raise row.error(f"{reason}; {what} must differ")
    return list(first)


def _mask(row: Entry, size: tuple[int, int]) -> CocoMask:
    score, crowd = score_of(row), is_crowd(row)
    row.number("area")
    try:
        require_box(row.values.get("bbox"), size)
        runs = runs_of(row.values.get("segmentation"), size)
    except ValueError as error:
        raise row.error(str(error)) from None
    return CocoMask(runs, rle.box_xyxy(runs), score, crowd, is_of_object(row))
