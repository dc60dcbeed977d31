"""Reading COCO instance files, ours and other people's, with every refusal naming its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from maskpool import rle
from maskpool.errors import SourceError


@dataclass(frozen=True, slots=True)
class CocoMask:
    """One annotation: its mask as runs, its score (1 where the file has none) and its place."""

    runs: rle.Runs
    box_xyxy: tuple[int, int, int, int]
    score: float
    crowd: bool


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A dataset by names, so that two files meet whatever their ids.

    Attributes:
        path: Where it was read.
        sizes: ``(height, width)`` by ``file_name``, in the file's order.
        categories: Names, in the file's order.
        masks: By ``(file_name, category)``; pairs without annotations are left out.
    """

    path: Path
    sizes: Mapping[str, tuple[int, int]]
    categories: tuple[str, ...]
    masks: Mapping[tuple[str, str], list[CocoMask]]


def read_coco(path: Path) -> CocoFile:
    """Read a COCO instances file whole.

    Compressed and uncompressed RLE are read as they are, polygons where pycocotools is installed.

    Raises:
        SourceError: The file cannot be read or is no COCO instances file; names the annotation.
    """
    data = _loaded(path)
    images = {_id(path, row, "images"): row for row in _rows(path, data, "images")}
    labels = {_id(path, row, "categories"): row for row in _rows(path, data, "categories")}
    names = {key: str(_field(path, row, "file_name", "images")) for key, row in images.items()}
    categories = {key: str(_field(path, row, "name", "categories")) for key, row in labels.items()}
    _refuse_repeated(path, "image file_name", list(names.values()))
    _refuse_repeated(path, "category name", list(categories.values()))
    sizes = {names[key]: _image_size(path, row) for key, row in images.items()}
    masks: dict[tuple[str, str], list[CocoMask]] = {}
    for row in _rows(path, data, "annotations"):
        where = f"annotation {row.get('id', '?')}"
        name = _known(path, where, "image_id", row, names)
        category = _known(path, where, "category_id", row, categories)
        masks.setdefault((name, category), []).append(_mask(path, where, row, sizes[name]))
    return CocoFile(path, sizes, tuple(categories.values()), masks)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise SourceError(str(path), f"is not JSON: {error.msg}", error.lineno) from None
    if isinstance(data, list):
        reason = "is a list, perhaps of COCO results; give a dataset with images and categories"
        raise SourceError(str(path), reason)
    if not isinstance(data, dict):
        raise SourceError(str(path), "is not a COCO dataset: it holds no object at the top")
    return data


def _rows(path: Path, data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = data.get(key)
    if rows is None:
        raise SourceError(str(path), f"has no {key!r}; a COCO instances file needs it")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SourceError(str(path), f"{key!r} must be a list of objects")
    return rows


def _field(path: Path, row: dict[str, Any], key: str, table: str) -> Any:  # noqa: ANN401 - JSON
    if key not in row:
        raise SourceError(str(path), f"an entry of {table!r} has no {key!r}: {_short(row)}")
    return row[key]


def _id(path: Path, row: dict[str, Any], table: str) -> int | float | str | None:
    value: int | float | str | list[Any] | dict[str, Any] | None = _field(path, row, "id", table)
    if isinstance(value, (list, dict)):
        raise SourceError(str(path), f"an 'id' of {table!r} is no number or text: {_short(row)}")
    return value


def _image_size(path: Path, row: dict[str, Any]) -> tuple[int, int]:
    size = (_field(path, row, "height", "images"), _field(path, row, "width", "images"))
    if not all(isinstance(value, int) and value > 0 for value in size):
        reason = f"image {row['file_name']!r}: width and height must be whole numbers above 0"
        raise SourceError(str(path), reason)
    return size


def _short(row: dict[str, Any]) -> str:
    text = orjson.dumps(row).decode()
    return text if len(text) <= 120 else text[:117] + "…"


def _known(path: Path, where: str, key: str, row: dict[str, Any], names: dict[Any, str]) -> str:
    value = row.get(key)
    name = None if isinstance(value, (list, dict)) else names.get(value)
    if name is None:
        raise SourceError(str(path), f"{where}: {key} {value!r:.80} is not in the file")
    return name


def _refuse_repeated(path: Path, what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SourceError(str(path), f"{what} {name!r} occurs twice; matching goes by name")
        seen.add(name)


def _mask(path: Path, where: str, row: dict[str, Any], size: tuple[int, int]) -> CocoMask:
    score = row.get("score")
    try:
        runs = _runs(row.get("segmentation"), size)
        score = 1.0 if score is None else float(score)
    except (ValueError, TypeError, OverflowError) as error:
        raise SourceError(str(path), f"{where}: {error}") from None
    if runs.size != size:
        reason = f"{where}: mask of {_size(runs.size)} in an image of {_size(size)}"
        raise SourceError(str(path), reason)
    return CocoMask(runs, rle.box_xyxy(runs), score, crowd=bool(row.get("iscrowd")))


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]} pixels"


def _runs(segmentation: object, size: tuple[int, int]) -> rle.Runs:
    if isinstance(segmentation, dict):
        height, width = (int(value) for value in segmentation.get("size") or size)
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            return rle.to_runs(rle.Rle((height, width), counts))
        if isinstance(counts, list):
            return _plain_runs(counts, (height, width))
        msg = "segmentation has no 'counts'"
        raise ValueError(msg)
    if isinstance(segmentation, list) and segmentation:
        return _polygon_runs(segmentation, size)
    msg = "has no segmentation; a box alone cannot be scored as a mask"
    raise ValueError(msg)


def _plain_runs(counts: list[Any], size: tuple[int, int]) -> rle.Runs:
    """Uncompressed RLE: the counts as a list of numbers."""
    bounds = np.cumsum(np.asarray(counts, dtype=np.int64))
    if min(counts, default=0) < 0 or (int(bounds[-1]) if bounds.size else 0) != size[0] * size[1]:
        msg = f"RLE counts do not add up to {_size(size)}"
        raise ValueError(msg)
    ends = bounds[1::2]
    starts = bounds[0::2][: ends.size]
    solid = ends > starts
    return rle.Runs(size, starts[solid], ends[solid])


def _polygon_runs(polygons: list[Any], size: tuple[int, int]) -> rle.Runs:
    """Polygons under COCO's own half-pixel rules, which differ from every other rasteriser's."""
    try:
        from pycocotools import mask as coco_mask  # noqa: PLC0415 - it is not always installed
    except ImportError:
        msg = "is a polygon, which only pycocotools reads as COCO means it; pip install pycocotools"
        raise ValueError(msg) from None
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            msg = "a polygon needs an even number of coordinates, at least six"
            raise ValueError(msg)
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
    return rle.to_runs(rle.Rle(size, merged["counts"].decode()))
