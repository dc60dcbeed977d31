"""Masks of a result beside finer ones and the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from maskpool import rle
from maskpool.settings import load_settings
from producer.run.before_after import before_after

Mask = npt.NDArray[np.bool_]
SIZE = (120, 160)
HOW: dict[str, Any] = {"cells": 64, "settings": load_settings()}


def disc(ragged: bool) -> Mask:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] - 60
    mask = np.asarray(np.hypot(y, x) < 40)
    if ragged:
        mask[50:53, 70:73] = False
        mask[0:3, 120:123] = True
    return mask


def coco(path: Path, masks: list[Mask]) -> Path:
    rows = [
        {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "segmentation": {"size": list(SIZE), "counts": rle.encode(mask).counts},
            "bbox": [0, 0, SIZE[1], SIZE[0]],
            "area": int(mask.sum()),
            "iscrowd": 0,
        }
        for number, mask in enumerate(masks, 1)
    ]
    image = {"id": 1, "file_name": "a.png", "width": SIZE[1], "height": SIZE[0]}
    categories = [{"id": 1, "name": "disc"}]
    path.write_text(json.dumps({"images": [image], "categories": categories, "annotations": rows}))
    return path


def test_what_is_ragged_gains_and_what_is_elsewhere_is_not_looked_at(tmp_path: Path) -> None:
    colours = np.where(disc(ragged=False)[..., None], (250, 90, 20), (20, 90, 250))
    Image.fromarray(colours.astype(np.uint8)).save(tmp_path / "a.png")
    truth = coco(tmp_path / "truth.json", [disc(ragged=False)])
    elsewhere = np.zeros(SIZE, np.bool_)
    elsewhere[:20, 130:] = True
    found = coco(tmp_path / "found.json", [disc(ragged=True), elsewhere])
    made = before_after(found, truth, tmp_path, tmp_path / "finer.jpg", **HOW)
    assert made is not None
    assert made.masks == 1
    assert made.before < made.after
    with Image.open(made.picture) as picture:
        assert picture.size[0] > 2 * 80
    only = coco(tmp_path / "only.json", [elsewhere])
    assert before_after(only, truth, tmp_path, tmp_path / "no.jpg", **HOW) is None
    assert not (tmp_path / "no.jpg").exists()
