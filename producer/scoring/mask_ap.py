"""COCO's own mask AP, by COCO's own code, where that is installed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

from maskpool import rle
from producer.formats.coco.read import CocoFile


def mask_ap(
    predicted: CocoFile, right: CocoFile, names: Sequence[str], categories: Sequence[str]
) -> tuple[float | None, float | None]:
    """Mask AP over IoU 0.50:0.05:0.95, and at 0.5, of the images and categories named.

    Both are None where pycocotools is not installed or there is no ground truth.
    """
    try:
        from pycocotools.cocoeval import COCOeval  # noqa: PLC0415 - it is not always installed
    except ImportError:
        return None, None
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its results
        scorer = COCOeval(
            _as_coco(right, names, categories), _as_coco(predicted, names, categories), "segm"
        )
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    values = (float(scorer.stats[0]), float(scorer.stats[1]))
    return (None, None) if values[0] < 0 else values


def _as_coco(file: CocoFile, names: Sequence[str], categories: Sequence[str]) -> object:
    from pycocotools.coco import COCO  # noqa: PLC0415 - as above

    annotations: list[dict[str, object]] = []
    for image_id, name in enumerate(names, 1):
        for category_id, category in enumerate(categories, 1):
            for mask in file.masks.get((name, category), []):
                counts = rle.from_runs(mask.runs).counts
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image_id,
                        "category_id": category_id,
                        "iscrowd": int(mask.crowd),
                        "area": mask.runs.area,
                        "score": mask.score,
                        "segmentation": {"size": list(mask.runs.size), "counts": counts},
                    }
                )
    coco = COCO()
    coco.dataset = {
        "images": [
            {"id": i, "height": file.sizes[name][0], "width": file.sizes[name][1]}
            for i, name in enumerate(names, 1)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories, 1)],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco
