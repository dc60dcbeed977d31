"""Recognises what was given, and reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskpool.errors import SourceError
from producer.formats import json_file
from producer.formats.boxes import coco, labelme
from producer.formats.boxes.box_file import BoxFile
from producer.formats.boxes.label_files import label_files
from producer.formats.boxes.labelme import is_labelme, read_labelme
from producer.formats.boxes.voc import read_voc
from producer.formats.boxes.yolo import read_yolo
from producer.formats.boxes.yolo_names import find_names, read_names

_FORMS = (
    "a COCO dataset (.json), a folder of YOLO labels, a file or folder of Pascal VOC (.xml), or a "
    "file or folder of LabelMe (.json)"
)

#: Text files that lie beside labels and are none: lists of images, and what stores of data add.
_NO_LABELS = frozenset({"classes.txt", "train.txt", "val.txt", "test.txt", "license.txt"})

#: Bytes of memory that one byte of a file takes without its masks; measured on lists of COCO
#: results, the densest files that tools write: 6.8.
_MEMORY_PER_BYTE = 8

_CALLED = {".xml": "Pascal VOC", ".json": "LabelMe", ".txt": "YOLO"}


def read_boxes(path: Path, dataset: Path | None = None) -> BoxFile:
    """Read boxes in any of the formats that people have them in.

    Args:
        path: A file, or a folder of label files; a YOLO dataset also by its ``data.yaml``.
        dataset: For a list of COCO results, which names images by their ids only: the COCO dataset
            that has these ids.

    Raises:
        SourceError: It cannot be read, or is none of the formats; says what to give.
    """
    try:
        file = _read(path, dataset)
    except MemoryError:
        reason = "takes more memory than there is; split it by images"
        raise SourceError(str(path), reason) from None
    if not file.images and (first := next(iter(file.problems), "")):
        raise SourceError(str(path), f"holds nothing that can be used: {first}")
    return file


def _read(path: Path, dataset: Path | None) -> BoxFile:
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        raise SourceError(repr(str(path)), "is no path of a file") from None
    ending = path.suffix.lower()
    if dataset is None and is_folder:
        return _folder(path)
    if dataset is None and ending == ".xml":
        return read_voc(path, path.parent, [path.name])
    if dataset is None and ending in {".yaml", ".yml"}:
        return _named(path)
    if ending == ".txt":
        raise SourceError(str(path), "is a text file; of YOLO, give the folder of the labels")
    if is_folder:
        raise SourceError(str(path), "is a folder; a COCO dataset belongs to a file of results")
    return _json(path, dataset)


def _named(path: Path) -> BoxFile:
    """A YOLO dataset by the file that names its classes."""
    names = read_names(path)
    files = _labels(label_files(path.parent)[".txt"])
    if not files:
        reason = "no label files (.txt) lie below its folder; give the folder where they are"
        raise SourceError(str(path), reason)
    return read_yolo(path, path.parent, names, files)


def _json(path: Path, dataset: Path | None) -> BoxFile:
    data = _loaded(path)
    if isinstance(data, list):
        return _results(path, data, dataset)
    if dataset is not None:
        reason = "is no list of COCO results; only with one a dataset is given beside it"
        raise SourceError(str(path), reason)
    if is_labelme(data):
        return read_labelme(path, path.parent, [path.name])
    return coco.read_dataset(path, _dataset(path, data))


def _loaded(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json_file.load(path, coco.UNREAD | labelme.UNREAD, _MEMORY_PER_BYTE)
    except SourceError as error:
        if path.suffix.lower() == ".json" or not path.is_file():
            raise
        raise SourceError(str(path), f"{error.reason}; give {_FORMS}", error.line) from None


def _results(path: Path, results: list[Any], dataset: Path | None) -> BoxFile:
    if dataset is None:
        reason = (
            "is a list, perhaps of COCO results, which name images by their ids only; give the "
            "dataset that they were made for as well, or put the list into its 'annotations'"
        )
        raise SourceError(str(path), reason)
    data = _dataset(dataset, json_file.load(dataset, coco.UNREAD, _MEMORY_PER_BYTE))
    return coco.read_results(path, results, dataset, data)


def _dataset(path: Path, data: object) -> dict[str, Any]:
    if not isinstance(data, dict) or not {"images", "annotations", "categories"} & set(data):
        raise SourceError(str(path), f"holds no boxes that maskpool knows; give {_FORMS}")
    return data


def _folder(path: Path) -> BoxFile:
    found = label_files(path)
    found[".txt"] = _labels(found[".txt"])
    found[".xml"] = _within("annotations", found[".xml"])
    ending = _kind(path, found)
    if ending == ".xml":
        return read_voc(path, path, found[".xml"])
    if ending == ".json":
        return read_labelme(path, path, found[".json"])
    return read_yolo(path, path, find_names(path), found[".txt"])


def _kind(path: Path, found: dict[str, list[str]]) -> str:
    """The ending of the labels in a folder; lists and notes of a tool may lie beside them."""
    parts = ((".xml", "annotations"), (".txt", "labels"))
    there = [end for end, part in parts if any(_is_within(part, name) for name in found[end])]
    there = there or [ending for ending, names in found.items() if names]
    if not there:
        raise SourceError(str(path), f"holds no label files (.txt, .xml or .json); give {_FORMS}")
    if len(there) > 1:
        kinds = " and ".join(f"{_CALLED[one]} ({found[one][0]})" for one in there)
        raise SourceError(str(path), f"holds files of {kinds}; give a folder of one kind")
    return there[0]


def _labels(names: list[str]) -> list[str]:
    """Label files of YOLO among text files."""
    own = [name for name in names if not _is_note(name.rpartition("/")[2].lower())]
    return _within("labels", own)


def _is_note(name: str) -> bool:
    return name in _NO_LABELS or name.startswith("readme")


def _within(part: str, names: list[str]) -> list[str]:
    """Those in folders of this name, where there are such folders; else all."""
    return [name for name in names if _is_within(part, name)] or names


def _is_within(part: str, name: str) -> bool:
    return part in name.lower().split("/")[:-1]
