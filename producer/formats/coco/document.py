"""The object at the top of a COCO dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskpool.errors import SourceError
from producer.formats import json_file


def load(path: Path) -> dict[str, Any]:
    """Read a JSON file with an object at its top; see ``json_file.load``.

    Raises:
        SourceError: It cannot be read, or holds something else.
        MemoryError: Memory ran out.
    """
    data = json_file.load(path)
    if isinstance(data, list):
        reason = "is a list, perhaps of COCO results; give a dataset with images and categories"
        raise SourceError(str(path), reason)
    if not isinstance(data, dict):
        raise SourceError(str(path), "is not a COCO dataset: it holds no object at the top")
    return data
