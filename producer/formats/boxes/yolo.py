"""Boxes of YOLO: a text file for each image, a line ``class cx cy width height [score]`` a box.

Coordinates are fractions of the image's width and height. A line of a segmentation dataset, ``class
x y x y x y …``, counts as the box around its corners; of a pose dataset, whose ``data.yaml`` has
``kpt_shape``, the box alone is read. A label file means the image whose path differs in ``images``
for ``labels`` and in the ending only, as Ultralytics' ``img2label_paths`` has it.
"""

from __future__ import annotations

import math
from pathlib import Path

from maskpool.errors import SourceError
from producer.formats.boxes.box_file import Box, BoxFile, ImageBoxes, Kind
from producer.formats.boxes.draft import Draft
from producer.formats.boxes.geometry import around, within
from producer.formats.boxes.keys import stem_key
from producer.formats.boxes.label_files import lines_of
from producer.formats.boxes.yolo_names import YoloNames

#: Numbers of a line with a box, and with its score.
_BOX, _SCORED = 5, 6


def read_yolo(path: Path, root: Path, names: YoloNames, files: list[str]) -> BoxFile:
    """Read a folder of label files.

    Args:
        path: As it was given.
        root: The folder.
        names: Of the classes.
        files: Label files, below the folder.
    """
    draft = Draft(path, Kind.YOLO)
    labels = _labels(draft, names)
    for file in files:
        image = ImageBoxes(file, root / file)
        try:
            draft.image(stem_key(file), image)
            _add_lines(draft, image, names, labels)
        except SourceError as error:
            draft.problems.add(error)
        except ValueError as error:
            draft.problems.add(SourceError(str(image.place), str(error)))
    return draft.finish()


def _labels(draft: Draft, names: YoloNames) -> dict[int, int]:
    """The draft's labels by the numbers in the files; a name that is refused has none."""
    labels = {}
    for index, name in sorted(names.names.items()):
        try:
            labels[index] = draft.label(name)
        except ValueError as error:
            draft.problems.add(SourceError(str(names.path), f"class {index}: {error}"))
    return labels


def _add_lines(draft: Draft, image: ImageBoxes, names: YoloNames, labels: dict[int, int]) -> None:
    for number, line in lines_of(image.place):
        try:
            index, box, score = _read(line, names.keypoints)
            image.add(_label(index, names, labels), within(box, None, "fraction"), score)
        except ValueError as error:
            draft.problems.add(SourceError(str(image.place), str(error), number))


def _label(index: int, names: YoloNames, labels: dict[int, int]) -> int:
    if index in labels:
        return labels[index]
    if index in names.names:
        msg = f"class {index} has a name that was refused"
        raise ValueError(msg)
    msg = f"there is no class {index}: {names.path.name} names {len(names.names)}, from 0 on"
    raise ValueError(msg)


def _read(line: str, keypoints: int) -> tuple[int, Box, float]:
    """The class's number, the box in fractions, and the score.

    Raises:
        ValueError: The line is none of the forms; a sentence without the place.
    """
    label, *values = map(_number, line.split())
    if label < 0 or label != int(label):
        msg = f"the class {label:.10g} must be a whole number from 0 on"
        raise ValueError(msg)
    count = 1 + len(values)
    if keypoints and count in {_BOX + keypoints, _SCORED + keypoints}:
        score = values[-1] if count == _SCORED + keypoints else 1.0
        return int(label), _box(*values[:4]), _score(score)
    if keypoints or count < _BOX or (count > _SCORED and count % 2 == 0):
        raise ValueError(_odd_count(count, keypoints))
    if count <= _SCORED:
        return int(label), _box(*values[:4]), _score(values[4] if count == _SCORED else 1.0)
    corners = list(zip(values[::2], values[1::2], strict=True))
    return int(label), around(corners), 1.0


def _number(text: str) -> float:
    # Python reads 1_000 and digits of all scripts, and no tool writes them.
    if not text.isascii() or "_" in text:
        msg = f"{text!r:.40} is no number"
        raise ValueError(msg)
    try:
        value = float(text)
    except ValueError:
        msg = f"{text!r:.40} is no number"
        raise ValueError(msg) from None
    if not math.isfinite(value):
        msg = f"{text!r:.40} is no finite number"
        raise ValueError(msg)
    return value


def _box(across: float, down: float, width: float, height: float) -> Box:
    return (across - width / 2, down - height / 2, across + width / 2, down + height / 2)


def _score(value: float) -> float:
    if not 0 <= value <= 1:
        msg = f"the score {value:.10g} must lie between 0 and 1"
        raise ValueError(msg)
    return value


def _odd_count(count: int, keypoints: int) -> str:
    if keypoints:
        return (
            f"has {count} numbers; a line of this pose dataset has {_BOX + keypoints}: class, box "
            "and keypoints"
        )
    return (
        f"has {count} numbers; a line is a class with centre, width and height (5), these with a "
        "score (6), or a class with the corners of a polygon (7, 9, 11, …)"
    )
