"""Datasets in the forms that annotation and training tools read; one module a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from producer.formats.coco.write import CocoCounts, write_coco
from producer.results.records import OpenImages


class Exporter(Protocol):
    """Streams images and writes ``target`` whole; goes on where an interrupted one stopped."""

    def __call__(
        self,
        target: Path,
        categories: Sequence[str],
        images: OpenImages,
        info: Mapping[str, object],
        *,
        fresh: bool = False,
        say: Callable[[str], None] = ...,
    ) -> CocoCounts:
        """See ``write_coco``."""


#: By the name that ``export -f`` takes.
FORMATS: dict[str, Exporter] = {"coco": write_coco}

__all__ = ["FORMATS", "CocoCounts", "Exporter", "write_coco"]
