"""Boxes of a COCO dataset, or of a list of COCO results beside the dataset they were made for.

``bbox`` is xywh in pixels from the upper left corner, from 0. A crowd (``iscrowd`` 1) stands for
many objects and is left out with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from maskpool.errors import SourceError
from producer.formats.boxes.box_file import BoxFile, ImageBoxes, Kind
from producer.formats.boxes.draft import Draft
from producer.formats.boxes.geometry import within
from producer.formats.boxes.keys import path_key
from producer.formats.coco.fields import Entry, shown, table_of
from producer.formats.coco.rows import image_size, is_crowd, known, score_of
from producer.formats.coco.segmentation import box_xywh

#: Fields that hold masks: they are not read, and are most of a file.
UNREAD = frozenset({"segmentation"})


class _Dataset:
    """Images and classes of a dataset by their ids; None stands for one that was refused."""

    def __init__(self, draft: Draft, path: Path, data: dict[str, Any]) -> None:
        self.draft = draft
        self.images: dict[int, ImageBoxes | None] = {}
        self.labels: dict[int, int | None] = {}
        self._each(_rows(draft, path, table_of(path, data, "images"), "images"), self._add_image)
        rows = _rows(draft, path, table_of(path, data, "categories"), "categories")
        # COCO's own order of classes is that of their ids.
        self._each(iter(sorted(rows, key=_id_for_order)), self._add_label)

    def add_boxes(self, path: Path, rows: list[Any], table: str) -> BoxFile:
        """Read annotations or results, and end the file with them."""
        self._each(_rows(self.draft, path, rows, table), self._add_box)
        return self.draft.finish()

    def _each(self, rows: Iterator[Entry], add: Callable[[Entry], None]) -> None:
        """Add entries; what is wrong with one costs only that one."""
        for row in rows:
            try:
                add(row)
            except SourceError as error:
                self.draft.problems.add(error)
            except ValueError as error:
                self.draft.problems.add(row.error(str(error)))

    def _add_image(self, row: Entry) -> None:
        key = row.whole("id")
        if key in self.images:
            if first := self.images[key]:
                self.draft.forget(path_key(first.called))
            self.images[key] = None
            raise row.error(f"id {key} occurs twice: nobody can say which image its boxes mean")
        self.images[key] = None
        image = ImageBoxes(_name(row), row.path, _size(row))
        self.images[key] = self.draft.image(path_key(image.called), image)

    def _add_label(self, row: Entry) -> None:
        key = row.whole("id")
        if key in self.labels:
            self.labels[key] = None
            raise row.error(f"id {key} occurs twice: nobody can say which class its boxes have")
        self.labels[key] = None
        self.labels[key] = self.draft.label(row.text("name"))

    def _add_box(self, row: Entry) -> None:
        image = known(row, "image_id", self.images)
        label = known(row, "category_id", self.labels)
        if image is None or label is None:
            key, what = ("image_id", "an image") if image is None else ("category_id", "a category")
            raise row.error(f"{key} {shown(row.values[key])} is of {what} that was refused")
        if is_crowd(row):
            raise row.error("is a crowd (iscrowd 1), which is many objects; box each of them")
        score = score_of(row)
        box = row.values.get("bbox")
        if box is None or box == []:
            raise row.error("has no bbox; maskpool makes masks from boxes")
        x, y, width, height = map(float, box_xywh(box))
        image.add(label, within((x, y, x + width, y + height), image.size), score)


def read_dataset(path: Path, data: dict[str, Any]) -> BoxFile:
    """Read the boxes of a dataset.

    Args:
        path: Its file.
        data: As JSON gave it; its entries are let go one by one.

    Raises:
        SourceError: One of its lists is missing, or is no list.
    """
    rows = table_of(path, data, "annotations")
    return _Dataset(Draft(path, Kind.COCO), path, data).add_boxes(path, rows, "annotations")


def read_results(path: Path, results: list[Any], of: Path, data: dict[str, Any]) -> BoxFile:
    """Read the boxes of a list of results, as detectors write it.

    Args:
        path: Its file.
        results: As JSON gave it; let go one by one.
        of: File of the dataset that has the images and classes.
        data: That dataset, as JSON gave it.

    Raises:
        SourceError: A list of the dataset is missing, or is no list.
    """
    return _Dataset(Draft(path, Kind.COCO), of, data).add_boxes(path, results, "results")


def _rows(draft: Draft, path: Path, rows: list[Any], table: str) -> Iterator[Entry]:
    """Entries of a list, which lets go of each when the next one is asked for."""
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            yield Entry(path, table, index, row)
        else:
            reason = f"{table!r} must be a list of objects; at index {index} it holds {shown(row)}"
            draft.problems.add(SourceError(str(path), reason))
        rows[index] = None


def _id_for_order(row: Entry) -> tuple[bool, int]:
    """Ids in their order; what is no id comes last, and is refused there."""
    value = row.values.get("id")
    return (False, value) if type(value) is int else (True, row.index)


def _name(row: Entry) -> str:
    """``file_name``; files of LVIS have the address of the image only, which ends with its path."""
    is_lvis = "file_name" not in row.values and "coco_url" in row.values
    return row.text("coco_url" if is_lvis else "file_name")


def _size(row: Entry) -> tuple[int, int] | None:
    """``(width, height)``; None where the file leaves both out."""
    if row.values.get("width") is None and row.values.get("height") is None:
        return None
    height, width = image_size(row)
    return width, height
