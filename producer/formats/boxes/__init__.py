"""Boxes and points that people have, read as what images are asked: COCO, YOLO, VOC, LabelMe.

    box_file = read_boxes(Path("instances.json"))
    matcher = Matcher(box_file)
    for ref in source.refs():
        asks = matcher.asks_of(ref.name)  # None: the file says nothing of this image
    print(*box_file.problems, matcher.unmatched())

What is bad costs only itself: it becomes a sentence in ``problems``. A file that is no box file at
all, and a name that could mean two images, are refused with a ``SourceError``.
"""

from __future__ import annotations

from producer.formats.boxes.box_file import BoxFile, Kind
from producer.formats.boxes.match import Matcher, Unmatched
from producer.formats.boxes.problems import Problems
from producer.formats.boxes.read import read_boxes

__all__ = ["BoxFile", "Kind", "Matcher", "Problems", "Unmatched", "read_boxes"]
