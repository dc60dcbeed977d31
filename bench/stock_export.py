"""The stock way to a COCO file: the whole dataset in memory, then ``json.dump``.

    python -P bench/stock_export.py BATCH IMAGES FILE     # of the pool that MASKPOOL_* names

What is read is what ``maskpool export`` reads; only the writer differs.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from db.session import Database
from maskpool.settings import load_settings
from producer.results import reader
from storage.objects import open_store


def main(batch: str, count: int, target: Path) -> None:
    """Write the first ``count`` images of a batch."""
    settings = load_settings()
    database = Database(settings.database_url.get_secret_value())
    view = reader.view(database, UUID(batch))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    numbers = {name: number for number, name in enumerate(view.categories, 1)}
    found = reader.read_images(database, open_store(settings.store_url), [view])
    for image in islice(found, count):
        size = {"width": image.width, "height": image.height}
        images.append({"id": len(images) + 1, "file_name": image.name, **size})
        for one in image.instances:
            x0, y0, x1, y1 = one.instance.found.box_xyxy
            mask = one.instance.found.mask
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": numbers[one.category],
                    "iscrowd": 0,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": one.instance.area,
                    "segmentation": {"size": list(mask.size), "counts": mask.counts},
                    "score": one.instance.found.score,
                }
            )
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    with target.open("w") as file:
        json.dump({"images": images, "annotations": annotations, "categories": categories}, file)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
