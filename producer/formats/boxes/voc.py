"""Boxes of Pascal VOC: an XML file for each image.

Pixels are counted from 1 and both edges are part of the box: "xmin=1, xmax=W covers the whole
image" (detectron2, ``data/datasets/pascal_voc.py``; the devkit of VOC calls the upper left pixel
(1, 1)). So one is taken from ``xmin`` and ``ymin`` only. Parts of an object are passed over, and
objects that are ``difficult`` or ``truncated`` are objects.
"""

from __future__ import annotations

import math
from pathlib import Path

from maskpool.errors import SourceError
from producer.formats.boxes.box_file import Box, BoxFile, ImageBoxes, Kind
from producer.formats.boxes.draft import Draft, read_each
from producer.formats.boxes.geometry import within
from producer.formats.boxes.keys import require_own_image, stem_key
from producer.formats.boxes.xml_tree import Element, read_xml

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: Path, root: Path, files: list[str]) -> BoxFile:
    """Read a file, or a folder of files.

    Args:
        path: As it was given.
        root: The folder.
        files: Label files, below the folder.

    Raises:
        SourceError: The only file that was given cannot be read.
    """
    return read_each(Draft(path, Kind.VOC), root, files, _add_file)


def _add_file(draft: Draft, path: Path, name: str) -> None:
    tree = read_xml(path)
    if tree.tag != "annotation":
        reason = f"begins with <{tree.tag:.40}>; a file of Pascal VOC begins with <annotation>"
        raise SourceError(str(path), reason, tree.line)
    try:
        require_own_image(name, tree.text_of("filename"))
        image = draft.image(stem_key(name), ImageBoxes(name, path, _size(tree)))
    except ValueError as error:
        raise SourceError(str(path), str(error)) from None
    for found in tree.all("object"):
        try:
            box = within(_box(found), image.size)
            image.add(draft.label(found.text_of("name")), box)
        except ValueError as error:
            draft.problems.add(SourceError(str(path), str(error), found.line))


def _size(tree: Element) -> tuple[int, int] | None:
    """``(width, height)``; None where the file says nothing, or 0 as some tools do."""
    size = tree.first("size")
    if size is None:
        return None
    texts = [size.text_of("width"), size.text_of("height")]
    if all(text in {"", "0"} for text in texts):
        return None
    if not all(text.isascii() and text.isdecimal() and 0 < len(text) < 8 for text in texts):
        msg = f"the size {' × '.join(texts)!r:.60} must be two whole numbers above 0"
        raise ValueError(msg)
    width, height = map(int, texts)
    if not width or not height:
        msg = f"the size is {width} × {height} pixels; both must be above 0"
        raise ValueError(msg)
    return width, height


def _box(found: Element) -> Box:
    box = found.first("bndbox")
    if box is None:
        msg = "the object has no <bndbox>; maskpool makes masks from boxes"
        raise ValueError(msg)
    left, top, right, bottom = (_side(box, side) for side in _SIDES)
    return (left - 1, top - 1, right, bottom)


def _side(box: Element, side: str) -> float:
    text = box.text_of(side)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        msg = f"<{side}> {text!r:.40} must be a finite number"
        raise ValueError(msg)
    return value
