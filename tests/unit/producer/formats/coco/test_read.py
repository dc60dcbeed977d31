from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from maskpool import rle
from maskpool.errors import SourceError
from producer.formats import json_file
from producer.formats.coco.read import CocoFile, read_coco

PHOTOS = Path(__file__).parents[5] / ".." / "shared" / "photos"
#: How a sentence names the annotation of ``dataset``.
HERE = r"annotation 17 \(index 0\): "

POLYGON = [[2.0, 2.0, 9.0, 2.0, 9.0, 7.0, 2.0, 7.0]]


def dataset(segmentation: Any, **more: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 12, "height": 10}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 17, "image_id": 7, "category_id": 3, "segmentation": segmentation, **more}
        ],
    }


def write(tmp_path: Path, data: Any) -> Path:
    path = tmp_path / "truth.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def some_mask() -> np.ndarray:
    mask = np.zeros((10, 12), dtype=bool)
    mask[2:7, 3:9] = True
    mask[4, 4] = False
    return mask


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_three_forms_of_one_mask_are_the_same_runs(tmp_path: Path) -> None:
    mask = some_mask()
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    plain = np.diff(np.concatenate(([0], changes, [flat.size]))).tolist()
    compressed = {"size": [10, 12], "counts": rle.encode(mask).counts}
    uncompressed = {"size": [10, 12], "counts": plain}
    for segmentation in (compressed, uncompressed):
        (found,) = read_coco(write(tmp_path, dataset(segmentation))).masks["a.jpg", "cat"]
        assert np.array_equal(rle.decode(rle.from_runs(found.runs)), mask)
        assert found.score == 1.0
        assert not found.crowd

    (drawn,) = read_coco(write(tmp_path, dataset(POLYGON, score=0.5))).masks["a.jpg", "cat"]
    oracle = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(POLYGON, 10, 12)))
    assert np.array_equal(rle.decode(rle.from_runs(drawn.runs)), oracle.astype(bool))
    assert drawn.score == 0.5


def test_polygons_without_pycocotools_name_the_annotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(SourceError, match=f"{HERE}is a polygon, .* pip install"):
        read_coco(write(tmp_path, dataset(POLYGON)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{not json", "line 1: is not JSON"),
        ("[]", "is a list, perhaps of COCO results"),
        ("3", "is not a COCO dataset"),
        ({"images": [], "categories": []}, "has no 'annotations'"),
        ({"images": {}, "categories": [], "annotations": []}, "'images' must be a list"),
        (
            {"images": [{"id": 1, "height": 1}], "categories": [], "annotations": []},
            r"image 1 \(index 0\): has no 'file_name'",
        ),
        (
            {"images": [{"id": 1, "file_name": "a", "width": None, "height": 3}],
             "categories": [], "annotations": []},
            r"image 'a' \(index 0\): width null must be a whole number",
        ),
        (
            {"images": [], "categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}],
             "annotations": []},
            r"category 'x' \(index 1\): name \"x\" occurs twice: category 'x' \(index 0\) has it",
        ),
        (dataset(POLYGON) | {"images": []}, f"{HERE}image_id 7 is not among the ids"),
        (dataset(None), f"{HERE}has no segmentation"),
        (dataset({"size": [10, 12]}), f"{HERE}segmentation has no 'counts'"),
        (dataset({"size": [10, 12], "counts": "###"}), f"{HERE}RLE counts hold"),
        (dataset({"size": [10, 12], "counts": [5, 5]}), f"{HERE}RLE counts do not add"),
        (dataset({"size": [10, 12], "counts": [5, -5, 120]}), f"{HERE}RLE count -5"),
        (dataset({"size": [10, 12], "counts": ["x"]}), f"{HERE}"),
        (dataset({"size": [2, 2], "counts": [4]}), "mask of 2×2 pixels in an image of 12×10"),
        (dataset([[1, 1, 2, 2]]), f"{HERE}a polygon needs"),
        (dataset({"size": [10, 12], "counts": [120]}, score="high"), f"{HERE}.*high"),
    ],
)  # fmt: skip
def test_refusals_name_the_place(tmp_path: Path, data: Any, message: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(SourceError, match=message) as caught:
        read_coco(path)
    assert str(path) in str(caught.value)


def test_the_names_of_all_images_are_known_without_their_masks(tmp_path: Path) -> None:
    data = dataset(POLYGON)
    data["images"].append({"id": 1, "file_name": "b/c.jpg", "width": 1, "height": 1})
    assert tuple(read_coco(write(tmp_path, data)).sizes) == ("a.jpg", "b/c.jpg")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_polygons_of_one_instance_are_drawn_as_pycocotools_merges_them(tmp_path: Path) -> None:
    several = [*POLYGON, [8, 1, 11.5, 1, 11.5, 9.5, 8, 9.5], [-3, -3, 3, -3, 3, 14], [20, 20] * 3]
    (drawn,) = read_coco(write(tmp_path, dataset(several))).masks["a.jpg", "cat"]
    oracle = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(several, 10, 12)))
    assert np.array_equal(rle.decode(rle.from_runs(drawn.runs)), oracle.astype(bool))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_coco(tmp_path / "nowhere.json")


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_what_the_memory_cannot_hold_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, pipe = write(tmp_path, dataset(POLYGON)), tmp_path / "pipe"
    os.mkfifo(pipe)
    enough = whole.stat().st_size * json_file._MEMORY_PER_BYTE

    def read(room: int) -> CocoFile:
        monkeypatch.setattr(json_file, "_kernel_says", lambda: [room])
        if kind == "file":
            return read_coco(whole)
        writer = threading.Thread(target=pipe.write_bytes, args=(whole.read_bytes(),))
        writer.start()
        try:
            return read_coco(pipe)
        finally:
            writer.join(10)

    assert tuple(read(enough).sizes) == ("a.jpg",)
    with pytest.raises(SourceError, match=r"has more than [\d,]+ bytes, .* split it"):
        read(enough - 1)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not here")
def test_photographs_with_their_polygons_and_crowds() -> None:
    read = read_coco(PHOTOS / "instances.json")
    assert len(read.sizes) == 26
    masks = [mask for group in read.masks.values() for mask in group]
    raw = json.loads((PHOTOS / "instances.json").read_bytes())["annotations"]
    assert len(masks) == len(raw)
    assert sum(mask.crowd for mask in masks) == sum(row["iscrowd"] for row in raw)
    assert all(mask.runs.area > 0 for mask in masks)
