"""COCO instances: one JSON file of images, annotations and categories, written as a stream.

Ids are integers from 1 and unique, categories count from 1 and masks are compressed RLE with
``iscrowd`` 0: CVAT refuses or merges other ids, and COCO's own scorer ignores crowd masks.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from maskpool.errors import ConfigError
from producer.reading import ImageResult, LabelledInstance

#: Scores are single precision in the database; more digits would be noise and a third of the file.
_SCORE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class CocoCounts:
    """What a dataset file holds."""

    images: int
    annotations: int


def write_coco(
    target: Path,
    categories: Sequence[str],
    images: Iterable[ImageResult],
    info: Mapping[str, object],
) -> CocoCounts:
    """Write a COCO dataset, whole or not at all, in memory that does not grow with its size.

    Args:
        target: The JSON file; one that exists is replaced at the end.
        categories: Names in the order of their ids, from 1; those without instances are kept.
        images: In the order of their ids, from 1; those without instances are listed (negatives).
        info: COCO's ``info`` object, e.g. ``{"description": …, "date_created": …}``.

    Raises:
        ConfigError: ``target`` is a folder.
        ValueError: An instance's category is not among ``categories``.
    """
    if target.is_dir():
        raise ConfigError(f"{target} is a folder; name a file, e.g. {target / 'coco.json'}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as parts:
        images_part, annotations_part, whole = (Path(parts, name) for name in "iaw")
        with images_part.open("wb") as image_file, annotations_part.open("wb") as annotation_file:
            counts = _write_parts(image_file, annotation_file, categories, images)
        with whole.open("wb") as out:
            out.write(b'{"info":%b,"licenses":[],\n' % orjson.dumps(dict(info)))
            out.write(b'"categories":%b,\n' % orjson.dumps(_categories(categories)))
            _append(out, b'"images":[\n', images_part)
            _append(out, b'\n],\n"annotations":[\n', annotations_part)
            out.write(b"\n]}\n")
        whole.replace(target)
    return counts


def _categories(names: Sequence[str]) -> list[dict[str, object]]:
    return [{"id": i, "name": name, "supercategory": ""} for i, name in enumerate(names, 1)]


def _append(out: BinaryIO, head: bytes, part: Path) -> None:
    out.write(head)
    with part.open("rb") as lines:
        shutil.copyfileobj(lines, out, 1 << 20)


def _write_parts(
    image_file: BinaryIO,
    annotation_file: BinaryIO,
    categories: Sequence[str],
    images: Iterable[ImageResult],
) -> CocoCounts:
    category_ids = {name: number for number, name in enumerate(categories, 1)}
    image_id = annotation_id = 0
    for image_id, image in enumerate(images, 1):
        _write_row(image_file, _image_row(image_id, image), first=image_id == 1)
        for found in image.instances:
            annotation_id += 1
            category_id = category_ids.get(found.category)
            if category_id is None:
                msg = f"{image.name}: category {found.category!r} is not among the export's"
                raise ValueError(msg)
            row = _annotation_row(annotation_id, image_id, category_id, found)
            _write_row(annotation_file, row, first=annotation_id == 1)
    return CocoCounts(image_id, annotation_id)


def _write_row(part: BinaryIO, row: dict[str, object], *, first: bool) -> None:
    part.write(orjson.dumps(row) if first else b",\n" + orjson.dumps(row))


def _image_row(image_id: int, image: ImageResult) -> dict[str, object]:
    return {
        "id": image_id,
        "file_name": image.name,
        "width": image.width,
        "height": image.height,
    }


def _annotation_row(
    annotation_id: int, image_id: int, category_id: int, labelled: LabelledInstance
) -> dict[str, object]:
    instance = labelled.instance
    found = instance.found
    x0, y0, x1, y1 = found.box_xyxy
    row: dict[str, object] = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": instance.area,
        "segmentation": {"size": found.mask.size, "counts": found.mask.counts},
        "score": round(found.score, _SCORE_DIGITS),
    }
    if instance.clip_score is not None:
        row["clip_score"] = round(instance.clip_score, _SCORE_DIGITS)
    return row
