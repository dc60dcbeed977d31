"""Datasets in the forms that annotation and training tools read; one module a format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from producer.exports.coco import CocoCounts, write_coco
from producer.reading import ImageResult

#: ``(target, categories, images, info) → counts``; streams ``images`` and writes ``target`` whole.
Exporter = Callable[
    [Path, Sequence[str], Iterable[ImageResult], Mapping[str, object]],
    CocoCounts,
]

#: By the name that ``export -f`` takes.
FORMATS: dict[str, Exporter] = {"coco": write_coco}

__all__ = ["FORMATS", "CocoCounts", "Exporter", "write_coco"]
