"""What a file of boxes holds: objects by image, kept as bare numbers until somebody asks."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from maskpool.asks import MAX_OBJECTS, ImageAsks, Point
from producer.formats.boxes.problems import Problems

Box = tuple[float, float, float, float]

Unit = Literal["pixel", "fraction"]

#: Numbers of one object: its class, its box and its score.
_WIDTH = 6

#: Stands for the box of an object that is meant by points only.
_NO_BOX: Box = (0.0, 0.0, 0.0, 0.0)


class Kind(StrEnum):
    """The formats, as people call them."""

    COCO = "COCO"
    YOLO = "YOLO"
    VOC = "Pascal VOC"
    LABELME = "LabelMe"


@dataclass(slots=True)
class ImageBoxes:
    """The objects of one image.

    Attributes:
        called: Its name as sentences show it: a ``file_name``, or a label file's path.
        place: The file that says it.
        size: ``(width, height)`` in pixels, where the file says it.
        count: Its objects; more than ``MAX_OBJECTS`` are counted and not kept.
    """

    called: str
    place: Path
    size: tuple[int, int] | None = None
    count: int = 0
    _numbers: array[float] = field(default_factory=lambda: array("d"))
    _points: dict[int, tuple[Point, ...]] | None = None

    def add(
        self, label: int, box_xyxy: Box | None, score: float = 1.0, points: tuple[Point, ...] = ()
    ) -> None:
        """Append an object.

        Args:
            label: Its class, as an index into the file's classes.
            box_xyxy: Around it, in the file's unit; None where only points mean it.
            score: In [0, 1].
            points: On it, in the file's unit.
        """
        if self.count < MAX_OBJECTS:
            self._numbers.extend((label, *(box_xyxy or _NO_BOX), score))
            if points:
                self._points = self._points or {}
                self._points[self.count] = points
        self.count += 1

    def asks(self, classes: tuple[str, ...], unit: Unit) -> ImageAsks:
        """The objects as an image is asked for them.

        Raises:
            SpecError: They take more room than one image may have.
        """
        return ImageAsks.read(
            {
                "objects": [self._object(place, classes) for place in range(self._kept)],
                "unit": unit,
                "size": self.size,
            }
        )

    @property
    def has_points(self) -> bool:
        """Whether one of them is meant by points."""
        return self._points is not None

    @property
    def _kept(self) -> int:
        return len(self._numbers) // _WIDTH

    def _object(self, place: int, classes: tuple[str, ...]) -> dict[str, Any]:
        label, *box, score = self._numbers[place * _WIDTH : (place + 1) * _WIDTH]
        found: dict[str, Any] = {"class": classes[int(label)], "score": score}
        if tuple(box) != _NO_BOX:
            found["box"] = box
        if self._points and place in self._points:
            found["points"] = self._points[place]
        return found


@dataclass(frozen=True, slots=True)
class BoxFile:
    """A file, or a folder of files, with boxes.

    Attributes:
        path: As it was given.
        kind: Its format.
        classes: Those that the file names, in its own order, each once; used or not.
        images: By key (``keys``): a ``file_name``, or the path of a label file without its ending.
        problems: What could not be used.
    """

    path: Path
    kind: Kind
    classes: tuple[str, ...]
    images: Mapping[str, ImageBoxes]
    problems: Problems

    @property
    def unit(self) -> Unit:
        """What coordinates are counted in."""
        return "fraction" if self.kind is Kind.YOLO else "pixel"

    @property
    def by_stem(self) -> bool:
        """Whether an image is named by its label file, which has another ending."""
        return self.kind is not Kind.COCO

    @property
    def objects(self) -> int:
        """Objects of all images."""
        return sum(image.count for image in self.images.values())

    def asks_of(self, key: str) -> ImageAsks:
        """What the image of this key is asked; the numbers were checked when they were read."""
        return self.images[key].asks(self.classes, self.unit)
