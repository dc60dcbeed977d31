"""Datasets in the forms that annotation and training tools read; one folder a format."""

from __future__ import annotations

from producer.formats.coco.write import write_coco
from producer.formats.port import Counts, Exporter, Format

#: By the name that ``export -f`` takes.
FORMATS: dict[str, Format] = {"coco": Format(write_coco, "coco.json")}

__all__ = ["FORMATS", "Counts", "Exporter", "Format", "write_coco"]
