"""Boxes of COCO: what pycocotools reads is what we read, and each fault has its sentence."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from maskpool.errors import SourceError
from producer.formats.boxes import BoxFile, Kind, Matcher, read_boxes
from producer.formats.boxes.keys import path_key

PHOTOS = Path(__file__).parents[5] / ".." / "shared" / "photos"

NAN, INF = float("nan"), float("inf")


def dataset(*boxes: Any, **more: Any) -> dict[str, Any]:
    """An image of 100×80 pixels with an annotation for each box."""
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
        "annotations": [
            {"id": 17 + place, "image_id": 7, "category_id": 3, "bbox": box, **more}
            for place, box in enumerate(boxes)
        ],
    }


def read(tmp_path: Path, data: Any) -> BoxFile:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(data))
    return read_boxes(path)


def boxes_of(file: BoxFile, key: str = "a.jpg") -> list[Any]:
    return [one.box_xyxy for one in file.asks_of(key).objects]


def test_boxes_classes_and_sizes_are_those_of_the_file(tmp_path: Path) -> None:
    data = dataset([10, 20.5, 30.1, 40.2], [0, 0, 100, 80], segmentation=[[1, 1, 9, 1, 9, 9]])
    data["annotations"][1] |= {"category_id": 1, "score": 0.25}
    file = read(tmp_path, data)
    assert (file.kind, file.unit, file.objects) == (Kind.COCO, "pixel", 2)
    assert file.classes == ("dog", "cat")
    assert list(file.problems) == []
    asks = file.asks_of("a.jpg")
    assert asks.size == (100, 80)
    assert [one.class_name for one in asks.objects] == ["cat", "dog"]
    assert [one.score for one in asks.objects] == [1.0, 0.25]
    assert boxes_of(file) == [(10, 20.5, 40.1, 60.7), (0, 0, 100, 80)]


def test_images_without_annotations_are_there_with_nothing_to_ask(tmp_path: Path) -> None:
    file = read(tmp_path, dataset())
    assert file.asks_of("a.jpg").objects == ()
    assert file.problems.count == 0


def test_a_size_that_the_file_leaves_out_is_not_made_up(tmp_path: Path) -> None:
    data = dataset([10, 10, 500, 500])
    del data["images"][0]["width"], data["images"][0]["height"]
    file = read(tmp_path, data)
    assert file.asks_of("a.jpg").size is None
    assert boxes_of(file) == [(10, 10, 510, 510)]


@pytest.mark.parametrize(
    ("box", "cut"),
    [([-10, -5, 30, 20], (0, 0, 20, 15)),
     ([90, 70, 10.5, 10.25], (90, 70, 100, 80)),
     ([-50, -40, 200, 160], (0, 0, 100, 80))],
)  # fmt: skip
def test_a_box_is_cut_at_the_edges_of_its_image(
    tmp_path: Path, box: list[float], cut: tuple[float, ...]
) -> None:
    file = read(tmp_path, dataset(box))
    assert boxes_of(file) == [cut]
    assert file.problems.count == 0


@pytest.mark.parametrize(
    ("box", "said"),
    [([1, 1, 0, 5], "the box is 0 wide and 5 high; both must be above 0"),
     ([1, 1, 5, 1e-9], "both must be above 0"),
     ([1, 1, -5, 5], "bbox has a width of -5"),
     ([NAN, 1, 5, 5], "bbox must be four finite numbers"),
     ([1, 1, INF, 5], "bbox must be four finite numbers"),
     ([1, 1, 10**400, 5], "bbox must be four finite numbers"),
     ([1, 1, 1e308, 1e308], "the box reaches to 1e\\+308, more than half an image beyond"),
     ([1.7e308, 1, 1.7e308, 5], "a coordinate is no finite number"),
     ([1, 1, 5], "bbox must be four finite numbers"),
     (["1", 1, 5, 5], "bbox must be four finite numbers"),
     ([True, 1, 5, 5], "bbox must be four finite numbers"),
     ("1,1,5,5", "bbox must be four finite numbers"),
     (None, "has no bbox"),
     ([], "has no bbox"),
     ([100, 1, 5, 5], "the box lies outside of the image of 100×80 pixels: it goes from 100 to"),
     ([1, -9, 5, 9], "the box lies outside of the image of 100×80 pixels: it goes from -9 to 0"),
     ([10, 10, 141, 10], "the box reaches to 151, more than half an image beyond the image of"),
     ([-51, 10, 100, 10], "the box reaches to -51")],
    ids=str,
)  # fmt: skip
def test_a_bad_box_costs_only_itself(tmp_path: Path, box: Any, said: str) -> None:
    file = read(tmp_path, dataset([1, 1, 5, 5], box, [2, 2, 5, 5]))
    assert boxes_of(file) == [(1, 1, 6, 6), (2, 2, 7, 7)]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/boxes.json: annotation 18 (index 1): ")
    assert re.search(said, problem), problem


@pytest.mark.parametrize(
    ("change", "said"),
    [({"iscrowd": 1}, "is a crowd (iscrowd 1), which is many objects; box each of them"),
     ({"iscrowd": "1"}, 'iscrowd "1" must be the number 0 or 1'),
     ({"category_id": 99}, "category_id 99 is not among the ids of 'categories' in the file"),
     ({"image_id": 99}, "image_id 99 is not among the ids of 'images' in the file"),
     ({"image_id": "7"}, 'image_id "7" must be a whole number, written without quotes'),
     ({"score": 1.5}, "score 1.5 must lie between 0 and 1"),
     ({"score": NAN}, "score NaN must be a finite number, 0 or more")],
    ids=str,
)  # fmt: skip
def test_a_bad_field_costs_only_its_annotation(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    data = dataset([1, 1, 5, 5], [2, 2, 5, 5])
    data["annotations"][0] |= change
    file = read(tmp_path, data)
    assert boxes_of(file) == [(2, 2, 7, 7)]
    assert list(file.problems) == [f"{tmp_path}/boxes.json: annotation 17 (index 0): {said}"]


@pytest.mark.parametrize("row", [None, 1, "x", [], [1, 2]], ids=str)
@pytest.mark.parametrize("table", ["images", "categories", "annotations"])
def test_what_is_no_entry_costs_only_itself(tmp_path: Path, table: str, row: Any) -> None:
    data = dataset([1, 1, 5, 5])
    data[table].insert(0, row)
    file = read(tmp_path, data)
    assert boxes_of(file) == [(1, 1, 6, 6)]
    (problem,) = file.problems
    assert f"'{table}' must be a list of objects; at index 0 it holds " in problem


@pytest.mark.parametrize(
    ("change", "said"),
    [({"file_name": ""}, 'file_name "" must be a text that is not empty'),
     ({"file_name": None}, "file_name null must be a text"),
     ({"file_name": "./"}, "names no image"),
     ({"id": None}, "id null must be a whole number"),
     ({"width": 0}, "width 0 and height 60 must be whole numbers above 0"),
     ({"width": None}, "width null must be a whole number"),
     ({"file_name": "a.jpg"}, "means the image 'a.jpg', and so does 'a.jpg'"),
     ({"file_name": "./a.jpg"}, "means the image 'a.jpg', and so does 'a.jpg'"),
     ({"file_name": ".\\a.jpg"}, "means the image 'a.jpg', and so does 'a.jpg'")],
    ids=str,
)  # fmt: skip
def test_a_bad_image_costs_its_own_boxes(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    data = dataset([1, 1, 5, 5], [2, 2, 5, 5])
    data["images"].append({"id": 8, "file_name": "b.jpg", "width": 50, "height": 60} | change)
    data["annotations"][1]["image_id"] = 8
    file = read(tmp_path, data)
    assert list(file.images) == ["a.jpg"]
    assert boxes_of(file) == [(1, 1, 6, 6)]
    first, second = file.problems
    assert said in first
    assert "(index 1): " in first
    assert "annotation 18 (index 1): image_id 8 is " in second


def test_two_images_of_one_id_lose_their_boxes(tmp_path: Path) -> None:
    data = dataset([1, 1, 5, 5])
    data["images"] += [{"id": 7, "file_name": "b.jpg"}, {"id": 8, "file_name": "c.jpg"}]
    file = read(tmp_path, data)
    assert list(file.images) == ["c.jpg"]
    first, second = file.problems
    assert "image 'b.jpg' (index 1): id 7 occurs twice" in first
    assert "annotation 17 (index 0): image_id 7 is of an image that was refused" in second


@pytest.mark.parametrize(
    ("categories", "said"),
    [([{"id": 3, "name": "cat"}, {"id": 3, "name": "dog"}], "id 3 occurs twice"),
     ([{"id": 3, "name": " "}], "the class's name is empty"),
     ([{"id": 3, "name": "x" * 201}], "the class's name has 201 characters"),
     ([{"id": 3, "name": "\ud800"}], "holds half of a character"),
     ([{"id": 3}], "has no 'name'")],
    ids=str,
)  # fmt: skip
def test_a_bad_class_costs_its_own_boxes(
    tmp_path: Path, categories: list[dict[str, Any]], said: str
) -> None:
    data = dataset([1, 1, 5, 5], [2, 2, 5, 5])
    data["categories"] = [*categories, {"id": 4, "name": "fox"}]
    data["annotations"][1]["category_id"] = 4
    file = read(tmp_path, data)
    assert boxes_of(file) == [(2, 2, 7, 7)]
    first, second = file.problems
    assert said in first
    assert second.endswith(
        "annotation 17 (index 0): category_id 3 is of a category that was refused"
    )


def test_two_categories_of_one_name_are_one_class(tmp_path: Path) -> None:
    data = dataset([1, 1, 5, 5], [2, 2, 5, 5])
    data["categories"] = [{"id": 0, "name": "cat"}, {"id": 3, "name": "cat"}]
    data["annotations"][1]["category_id"] = 0
    file = read(tmp_path, data)
    assert file.classes == ("cat",)
    assert file.objects == 2
    assert file.problems.count == 0


def test_an_image_with_too_many_objects_is_named(tmp_path: Path) -> None:
    data = dataset(*[[1, 1, 5, 5]] * 1_001)
    data["images"].append({"id": 8, "file_name": "b.jpg"})
    file = read(tmp_path, data)
    assert list(file.images) == ["b.jpg"]
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/boxes.json: 'a.jpg': has 1,001 objects, and one image ")


def test_an_image_whose_objects_take_too_many_bytes_is_named(tmp_path: Path) -> None:
    data = dataset(*[[1, 1, 5, 5]] * 400)
    data["categories"][0]["name"] = "c" * 200
    data["images"].append({"id": 8, "file_name": "b.jpg"})
    file = read(tmp_path, data)
    assert list(file.images) == ["b.jpg"]
    (problem,) = file.problems
    assert "'a.jpg': its objects take " in problem
    assert "one image may have 64,000" in problem


def test_problems_are_counted_when_they_are_too_many_to_show(tmp_path: Path) -> None:
    file = read(tmp_path, dataset([1, 1, 5, 5], *[[1, 1, 0, 0]] * 1_200))
    assert file.problems.count == 1_200
    shown = list(file.problems)
    assert len(shown) == 1_001
    assert shown[-1] == "and 200 more of this kind"


def test_nothing_that_can_be_used_is_a_refusal(tmp_path: Path) -> None:
    data = dataset([1, 1, 5, 5])
    data["images"][0]["id"] = "7"
    with pytest.raises(SourceError, match=r"holds nothing that can be used: .*image 'a\.jpg'"):
        read(tmp_path, data)


def test_images_of_lvis_are_named_by_their_address(tmp_path: Path) -> None:
    data = dataset([1, 1, 5, 5])
    data["images"][0]["coco_url"] = "http://images.cocodataset.org/train2017/000000000030.jpg"
    del data["images"][0]["file_name"]
    matcher = Matcher(read(tmp_path, data))
    assert matcher.asks_of("000000000030.jpg") is not None


# Results.


def results(tmp_path: Path, rows: Any) -> tuple[Path, Path]:
    """A list of results, and the dataset that has their ids."""
    of, path = tmp_path / "instances.json", tmp_path / "results.json"
    of.write_text(json.dumps(dataset([50, 50, 5, 5])))
    path.write_text(json.dumps(rows))
    return path, of


RESULT = {"image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.75}


def test_results_are_read_beside_their_dataset(tmp_path: Path) -> None:
    path, of = results(tmp_path, [RESULT, RESULT | {"image_id": 9}])
    file = read_boxes(path, of)
    (found,) = file.asks_of("a.jpg").objects
    assert (found.class_name, found.box_xyxy, found.score) == ("dog", (1, 1, 6, 6), 0.75)
    (problem,) = file.problems
    assert problem.startswith(f"{path}: result (index 1): image_id 9 is not among the ids")


def test_results_alone_are_refused_with_what_to_give(tmp_path: Path) -> None:
    path, of = results(tmp_path, [RESULT])
    with pytest.raises(SourceError, match="name images by their ids only; give the dataset"):
        read_boxes(path)
    with pytest.raises(SourceError, match="is no list of COCO results"):
        read_boxes(of, of)
    with pytest.raises(SourceError, match="holds no boxes that maskpool knows"):
        read_boxes(path, path)


def test_results_in_the_place_of_annotations_are_a_dataset(tmp_path: Path) -> None:
    file = read(tmp_path, dataset() | {"annotations": [RESULT]})
    assert boxes_of(file) == [(1, 1, 6, 6)]


# Against pycocotools.

cents = st.integers(0, 10_000).map(lambda value: value / 100)


@st.composite
def datasets(draw: st.DrawFn) -> dict[str, Any]:
    """Valid datasets with boxes within their images."""
    name = st.text("abcé/ ", min_size=1, max_size=6).map(lambda text: f"x{text}y")
    names = draw(st.lists(name, min_size=1, max_size=4, unique_by=path_key))
    labels = draw(st.lists(st.integers(0, 90), min_size=1, max_size=4, unique=True))
    spans = st.tuples(cents, cents).filter(lambda pair: pair[0] < pair[1])
    image, label = st.integers(0, len(names) - 1), st.sampled_from(labels)
    found = draw(st.lists(st.tuples(image, label, spans, spans), max_size=12))
    return {
        "images": [
            {"id": 5 * place, "file_name": name, "width": 100, "height": 100}
            for place, name in enumerate(names)
        ],
        "categories": [{"id": label, "name": f"class {label}"} for label in labels],
        "annotations": [
            {"id": place + 1, "image_id": 5 * image, "category_id": label, "iscrowd": 0,
             "area": 1.0, "bbox": [x[0], y[0], round(x[1] - x[0], 2), round(y[1] - y[0], 2)]}
            for place, (image, label, x, y) in enumerate(found)
        ],
    }  # fmt: skip


@given(datasets())
def test_boxes_are_those_that_pycocotools_reads(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("coco") / "boxes.json"
    path.write_text(json.dumps(data))
    file = read_boxes(path)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(path))
    assert list(file.problems) == []
    assert file.classes == tuple(theirs.cats[label]["name"] for label in sorted(theirs.getCatIds()))
    for row in data["images"]:
        wanted = [
            (theirs.cats[one["category_id"]]["name"], one["bbox"])
            for one in theirs.loadAnns(theirs.getAnnIds(imgIds=row["id"]))
        ]
        found = file.asks_of(path_key(row["file_name"])).objects
        assert [one.class_name for one in found] == [name for name, _ in wanted]
        for one, (_, box) in zip(found, wanted, strict=True):
            assert one.box_xyxy is not None
            left, top, right, bottom = one.box_xyxy
            assert [left, top, right - left, bottom - top] == pytest.approx(box, abs=1e-5)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the shared photographs are not here")
def test_photographs_have_a_box_for_each_annotation_but_crowds() -> None:
    path = PHOTOS / "instances.json"
    raw = json.loads(path.read_bytes())
    crowds = [row for row in raw["annotations"] if row["iscrowd"]]
    file = read_boxes(path)
    assert file.objects == len(raw["annotations"]) - len(crowds)
    assert file.problems.count == len(crowds)
    assert len(file.images) == 26
