"""COCO instances: one JSON file of images, annotations and categories, written as a stream.

Ids are integers from 1 and unique, categories count from 1 and masks are compressed RLE with
``iscrowd`` 0: CVAT refuses or merges other ids, and COCO's own scorer ignores crowd masks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from maskpool.errors import ConfigError
from maskpool.fineness import Fineness
from producer.formats.parts import Mark, Parts, unfinished
from producer.formats.port import Counts
from producer.results.empty import EmptyMasks
from producer.results.finer import FinerMasks
from producer.results.records import ImageResult, LabelledInstance, OpenImages

#: Names the layout of the parts: code with another layout must not go on with them.
_LAYOUT = "coco 2"

#: Names how masks are made finer: code that does it otherwise must not go on with its parts.
_REFINING = 1

_PARTS = ("images", "annotations")
_BETWEEN = b",\n"

#: Scores are single precision in the database; more digits would be noise and a third of the file.
_SCORE_DIGITS = 6


def write_coco(
    target: Path,
    categories: Sequence[str],
    images: OpenImages,
    info: Mapping[str, object],
    *,
    fresh: bool = False,
    say: Callable[[str], None] = lambda _: None,
    fineness: Fineness = Fineness.NONE,
) -> Counts:
    """Write a COCO dataset into one JSON file; see ``Exporter``.

    Ids of images and categories count from 1, in the order in which they are given; ``info`` is
    COCO's object of that name. An empty mask is no annotation: COCO's own tools give it an area of
    0 and a box without sides, and trainers stop at it. ``info`` names it instead.

    Raises:
        ConfigError: ``target`` is a folder.
        Conflict: Another process writes it.
        ValueError: An instance's category is not among ``categories``.
    """
    if target.is_dir():
        raise ConfigError(f"{target} is a folder; name a file, e.g. {target / 'coco.json'}")
    target.parent.mkdir(parents=True, exist_ok=True)
    question: dict[str, object] = {"format": _LAYOUT, "categories": categories, "info": info}
    if fineness is not Fineness.NONE:
        question["refine"] = [fineness.value, _REFINING]
    with unfinished(target, _PARTS, question, images, fresh=fresh, say=say) as parts:
        mark = _write_rows(parts, categories)
        said = {**info, **mark.empty.info()}
        if fineness is not Fineness.NONE:
            said["refine"] = mark.finer.json(fineness)
        head = orjson.dumps(said), orjson.dumps(_categories(categories))
        parts.finish(mark, target, lambda out, paths: _join(out, paths, *head))
    return Counts(mark.images, mark.annotations, mark.empty, mark.finer)


def _categories(names: Sequence[str]) -> list[dict[str, object]]:
    return [{"id": i, "name": name, "supercategory": ""} for i, name in enumerate(names, 1)]


def _join(out: BinaryIO, paths: Mapping[str, Path], info: bytes, categories: bytes) -> None:
    out.write(b'{"info":%b,"licenses":[],\n"categories":%b,\n"images":[\n' % (info, categories))
    _append(out, paths["images"])
    out.write(b'\n],\n"annotations":[\n')
    _append(out, paths["annotations"])
    out.write(b"\n]}\n")


def _append(out: BinaryIO, part: Path) -> None:
    with part.open("rb") as rows:
        shutil.copyfileobj(rows, out, 1 << 20)


def _write_rows(parts: Parts, categories: Sequence[str]) -> Mark:
    """Append the rows of all images that are to be written yet."""
    category_ids = {name: number for number, name in enumerate(categories, 1)}
    image_file, annotation_file = (parts.files[name] for name in _PARTS)
    image_id, annotations = parts.mark.images, parts.mark.annotations
    empty, finer = parts.mark.empty, parts.mark.finer
    for image in parts.images:
        image_id += 1
        rows = _annotation_rows(annotations + 1, image_id, category_ids, image)
        _write(image_file, [_image_row(image_id, image)], first=image_id == 1)
        _write(annotation_file, rows, first=not annotations)
        annotations += len(rows)
        empty = empty.and_those_of(image)
        finer = finer.and_those_of(image.finer)
        if parts.are_due(image_id):
            parts.keep(_mark(parts, image_id, annotations, empty, finer))
    return _mark(parts, image_id, annotations, empty, finer)


def _mark(
    parts: Parts, images: int, annotations: int, empty: EmptyMasks, finer: FinerMasks
) -> Mark:
    return Mark(
        images=images,
        annotations=annotations,
        fingerprint=parts.images.fingerprint,
        empty=empty,
        finer=finer,
    )


def _write(part: BinaryIO, rows: Sequence[bytes], *, first: bool) -> None:
    if rows:
        part.write((b"" if first else _BETWEEN) + _BETWEEN.join(rows))


def _image_row(image_id: int, image: ImageResult) -> bytes:
    return orjson.dumps(
        {
            "id": image_id,
            "file_name": image.name,
            "width": image.width,
            "height": image.height,
        }
    )


def _annotation_rows(
    first_id: int, image_id: int, category_ids: Mapping[str, int], image: ImageResult
) -> list[bytes]:
    try:
        return [
            _annotation_row(annotation_id, image_id, category_ids[found.category], found)
            for annotation_id, found in enumerate(
                (one for one in image.instances if one.instance.area), first_id
            )
        ]
    except KeyError as error:
        msg = f"{image.name}: category {error} is not among the export's"
        raise ValueError(msg) from None


def _annotation_row(
    annotation_id: int, image_id: int, category_id: int, labelled: LabelledInstance
) -> bytes:
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
    if found.object_index is not None:
        row["object_index"] = found.object_index
    if found.predicted_iou is not None:
        row["predicted_iou"] = round(found.predicted_iou, _SCORE_DIGITS)
    return orjson.dumps(row)
