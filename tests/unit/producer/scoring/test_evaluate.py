from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskpool import rle
from maskpool.errors import SourceError
from producer.scoring.evaluate import evaluate
from producer.scoring.records import Evaluation

SIZE = (20, 40)
PHOTOS = Path(__file__).parents[4] / ".." / "shared" / "photos"

#: ``(file_name, category, box_xyxy, more)``
Row = tuple[str, str, tuple[int, int, int, int], dict[str, Any]]


def box(name: str, category: str, box_xyxy: tuple[int, int, int, int], **more: Any) -> Row:
    return (name, category, box_xyxy, more)


def write(
    path: Path,
    rows: list[Row],
    images: tuple[str, ...] = ("a", "b"),
    categories: tuple[str, ...] = ("cat", "dog"),
    size: tuple[int, int] = SIZE,
) -> Path:
    annotations = []
    for name, category, (x0, y0, x1, y1), more in rows:
        mask = np.zeros(size, dtype=bool)
        mask[y0:y1, x0:x1] = True
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": images.index(name) + 100,
                "category_id": categories.index(category) + 5,
                "segmentation": {"size": size, "counts": rle.encode(mask).counts},
                **more,
            }
        )
    height, width = size
    data = {
        "images": [
            {"id": i, "file_name": name, "height": height, "width": width}
            for i, name in enumerate(images, 100)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories, 5)],
        "annotations": annotations,
    }
    path.write_text(json.dumps(data))
    return path


def score(tmp_path: Path, predicted: list[Row], right: list[Row], **more: Any) -> Evaluation:
    pred = write(tmp_path / "pred.json", predicted)
    return evaluate(pred, write(tmp_path / "truth.json", right), **more)


def test_figures_by_hand(tmp_path: Path) -> None:
    right = [
        box("a", "cat", (0, 0, 10, 10)),
        box("a", "cat", (20, 0, 30, 10)),
        box("b", "dog", (0, 0, 10, 10)),
    ]
    predicted = [
        box("a", "cat", (0, 0, 10, 8), score=0.9),  # IoU 0.8
        box("a", "cat", (26, 0, 36, 10), score=0.9),  # IoU 0.25: made up, and one missed
        box("b", "dog", (0, 0, 10, 10), score=0.49),  # below the threshold
        box("b", "cat", (0, 0, 5, 5), score=0.5),  # there is no cat in b
    ]
    found = score(tmp_path, predicted, right)

    assert (found.overall.tp, found.overall.fp, found.overall.fn) == (1, 2, 2)
    assert found.overall.precision == pytest.approx(1 / 3)
    assert found.overall.recall == pytest.approx(1 / 3)
    assert found.f1 == pytest.approx(1 / 3)
    assert found.mean_iou == pytest.approx(0.8)
    cat, dog = found.by_category
    assert (cat.category, cat.tp, cat.fp, cat.fn) == ("cat", 1, 2, 1)
    assert (dog.category, dog.tp, dog.fp, dog.fn, dog.precision) == ("dog", 0, 0, 1, None)
    # Absent: (a, dog), rejected, and (b, cat), not rejected.
    assert (found.absent_pairs, found.absent_rejected) == (2, 0.5)
    # Present pairs hold 2 + 3 masks; the IoU of 0.8 counts at 0.50 … 0.80, seven of ten steps.
    assert found.pmf1 == pytest.approx(0.7 * 2 / 5)
    # Pairs: one true positive, one false positive, one false negative, one true negative.
    assert found.il_mcc == 0.0
    assert found.cgf1 == 0.0
    json.dumps(found.to_json())


def test_matching_is_optimal_not_greedy(tmp_path: Path) -> None:
    right = [box("a", "cat", (0, 0, 10, 10)), box("a", "cat", (4, 0, 14, 10))]
    # The first prediction is nearest to the second truth, but is the only one for the first truth.
    predicted = [
        box("a", "cat", (3, 0, 13, 10), score=0.9),
        box("a", "cat", (4, 0, 14, 10), score=0.8),
    ]
    found = score(tmp_path, predicted, right)
    assert (found.overall.tp, found.overall.fp, found.overall.fn) == (2, 0, 0)
    assert found.mean_iou == pytest.approx((7 / 13 + 1) / 2)


def test_masks_of_objects_count_at_every_threshold_as_they_do_on_reading(tmp_path: Path) -> None:
    right = [box("a", "cat", (0, 0, 10, 10)), box("b", "cat", (0, 0, 10, 10))]
    predicted = [
        box("a", "cat", (0, 0, 10, 10), score=0.06, object_index=0),
        box("b", "cat", (0, 0, 10, 10), score=0.06, object_index=None),  # a text found it
    ]

    for threshold in (0.5, 1.0):
        found = score(tmp_path, predicted, right, threshold=threshold)
        assert found.objects == 1
        assert (found.overall.tp, found.overall.fp, found.overall.fn) == (1, 0, 1)


@pytest.mark.parametrize("index", ["0", 1.0, True, -1])
def test_the_place_of_an_object_is_a_whole_number(tmp_path: Path, index: object) -> None:
    right = [box("a", "cat", (0, 0, 10, 10))]
    predicted = [box("a", "cat", (0, 0, 10, 10), object_index=index)]

    with pytest.raises(SourceError, match=r"annotation 1 \(index 0\): object_index .* must be a"):
        score(tmp_path, predicted, right)


def test_the_asked_iou_and_threshold_decide(tmp_path: Path) -> None:
    right = [box("a", "cat", (0, 0, 10, 10))]
    predicted = [box("a", "cat", (0, 0, 10, 8), score=0.3)]
    assert score(tmp_path, predicted, right).overall.tp == 0
    assert score(tmp_path, predicted, right, threshold=0.3).overall.tp == 1
    assert score(tmp_path, predicted, right, threshold=0.3, iou=0.81).overall.tp == 0


def test_crowds_are_neither_missed_nor_made_up(tmp_path: Path) -> None:
    right = [box("a", "cat", (0, 0, 20, 20), iscrowd=1), box("a", "cat", (30, 0, 40, 20))]
    predicted = [
        box("a", "cat", (2, 2, 8, 8), score=0.9),  # inside the crowd
        box("a", "cat", (30, 0, 40, 20), score=0.9),
        box("a", "cat", (18, 0, 28, 10), score=0.9),  # mostly outside
    ]
    found = score(tmp_path, predicted, right)
    assert (found.overall.tp, found.overall.fp, found.overall.fn) == (1, 1, 0)
    # A pair with nothing but crowd says nothing about absence: (a, dog), (b, cat), (b, dog) do.
    assert found.absent_pairs == 3


def polygon(name: str, corners: list[float], **more: Any) -> Row:
    return box(name, "cat", (0, 0, 0, 0), segmentation=[corners], **more)


@pytest.mark.parametrize("corners", [[4, 4, 4, 4, 4, 4], [1, 5, 9, 5, 1, 5], [45, 5, 60, 5, 60, 9]])
def test_a_mask_without_pixels_is_missed_or_made_up(tmp_path: Path, corners: list[float]) -> None:
    empty, whole = polygon("a", corners), box("a", "cat", (20, 0, 30, 10))
    found = score(tmp_path, [(*empty[:3], {**empty[3], "score": 0.9})], [empty, whole])
    assert (found.overall.tp, found.overall.fp, found.overall.fn) == (0, 1, 2)
    assert (found.mask_ap, found.f1) == (0.0, 0.0)
    crowd = (*empty[:3], {**empty[3], "iscrowd": 1})
    found = score(tmp_path, [whole], [crowd, whole])
    assert (found.overall.tp, found.overall.fp, found.overall.fn) == (1, 0, 0)
    assert found.mask_ap == pytest.approx(1.0)
    json.dumps(found.to_json())


def test_what_only_one_file_has_is_named_and_left_out(tmp_path: Path) -> None:
    pred = write(
        tmp_path / "p.json",
        [box("a", "cat", (0, 0, 9, 9), score=1), box("c", "cat", (0, 0, 9, 9), score=1)],
        images=("a", "c"),
        categories=("cat", "cow"),
    )
    truth = write(
        tmp_path / "t.json", [box("a", "cat", (0, 0, 9, 9)), box("b", "cat", (0, 0, 9, 9))]
    )
    found = evaluate(pred, truth)
    assert found.images == 1
    assert found.images_only_in_truth == ("b",)
    assert found.images_only_in_prediction == ("c",)
    assert found.categories_only_in_truth == ("dog",)
    assert found.categories_only_in_prediction == ("cow",)
    assert (found.overall.tp, found.overall.fp, found.overall.fn) == (1, 0, 0)


def test_nothing_anywhere_is_null_not_a_division(tmp_path: Path) -> None:
    found = score(tmp_path, [], [])
    assert (found.f1, found.mean_iou, found.pmf1, found.il_mcc, found.cgf1) == (None,) * 5
    assert (found.mask_ap, found.absent_rejected) == (None, 1.0)
    json.dumps(found.to_json())


def test_without_pycocotools_only_ap_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [box("a", "cat", (0, 0, 10, 10), score=0.9)]
    assert score(tmp_path, rows, rows).mask_ap == pytest.approx(1.0)
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    found = score(tmp_path, rows, rows)
    assert (found.mask_ap, found.mask_ap50, found.f1) == (None, None, 1.0)


def test_pycocotools_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [box("a", "cat", (0, 0, 10, 10), score=0.9)]
    score(tmp_path, rows, rows)
    assert capsys.readouterr().out == ""


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", [])
    other = write(tmp_path / "o.json", [], images=("x/a",))
    with pytest.raises(SourceError, match=r"no image of it is in .*t\.json.*'x/a'.*'a'"):
        evaluate(other, truth)
    other = write(tmp_path / "o.json", [], categories=("cow",))
    with pytest.raises(SourceError, match="no category of it is in"):
        evaluate(other, truth)
    other = write(tmp_path / "o.json", [], size=(40, 20))
    with pytest.raises(SourceError, match=r"'a' is 20×40 here and 40×20 in .*EXIF"):
        evaluate(other, truth)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not here")
def test_photographs_against_themselves_are_perfect() -> None:
    path = PHOTOS / "instances.json"
    found = evaluate(path, path)
    assert (found.f1, found.absent_rejected) == (1.0, 1.0)
    assert found.mean_iou == pytest.approx(1.0)
    assert found.cgf1 == pytest.approx(1.0)
    assert found.images == 26
