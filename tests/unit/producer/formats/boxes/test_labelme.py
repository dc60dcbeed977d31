"""Boxes and points of LabelMe, and a sentence for each shape that is bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.errors import SourceError
from producer.formats.boxes import BoxFile, Kind, read_boxes


def shape(kind: str, *points: Any, label: Any = "cat", **more: Any) -> dict[str, Any]:
    given = {"label": label, "points": list(points), "group_id": None, "shape_type": kind}
    return given | {"flags": {}} | more


def document(*shapes: Any, **more: Any) -> dict[str, Any]:
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "a.jpg",
        "imageData": "aGVsbG8=",
        "imageHeight": 80,
        "imageWidth": 100,
    } | more


def read(tmp_path: Path, data: Any) -> BoxFile:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(data))
    return read_boxes(path)


def boxes_of(file: BoxFile) -> list[Any]:
    return [one.box_xyxy for one in file.asks_of("a").objects]


@pytest.mark.parametrize(
    ("one", "box"),
    [(shape("rectangle", [10, 20], [30, 40]), (10, 20, 30, 40)),
     (shape("rectangle", [30.5, 20], [10, 40.25]), (10, 20, 30.5, 40.25)),
     (shape("rectangle", [10, 20], [30, 20], [30, 40], [10, 40]), (10, 20, 30, 40)),
     (shape("polygon", [10, 20], [30, 25], [20, 40]), (10, 20, 30, 40)),
     (shape("rotation", [10, 20], [30, 25], [20, 40], [5, 35]), (5, 20, 30, 40)),
     (shape("circle", [50, 40], [53, 44]), (45, 35, 55, 45)),
     (shape("mask", [10, 20], [30, 40], mask="aGVsbG8="), (10, 20, 30, 40)),
     (shape("rectangle", [-4, 10], [20, 85]), (0, 10, 20, 80))],
)  # fmt: skip
def test_shapes_count_as_the_box_around_them(tmp_path: Path, one: Any, box: Any) -> None:
    file = read(tmp_path, document(one))
    assert (file.kind, file.unit, file.classes) == (Kind.LABELME, "pixel", ("cat",))
    assert file.asks_of("a").size == (100, 80)
    assert boxes_of(file) == [box]
    assert file.problems.count == 0


def test_old_files_have_polygons_without_a_type(tmp_path: Path) -> None:
    one = shape("polygon", [10, 20], [30, 25], [20, 40])
    del one["shape_type"], one["group_id"]
    assert boxes_of(read(tmp_path, document(one))) == [(10, 20, 30, 40)]


def test_a_point_is_a_point_on_an_object(tmp_path: Path) -> None:
    file = read(tmp_path, document(shape("point", [10, 20]), shape("point", [0, 80], label="dog")))
    first, second = file.asks_of("a").objects
    assert (first.class_name, first.box_xyxy, first.points) == ("cat", None, ((10, 20, 1),))
    assert (second.class_name, second.box_xyxy, second.points) == ("dog", None, ((0, 80, 1),))


def test_shapes_of_one_group_and_label_are_one_object(tmp_path: Path) -> None:
    shapes = (
        shape("rectangle", [10, 20], [30, 40], group_id=1),
        shape("rectangle", [10, 20], [30, 40], group_id=1, label="dog"),
        shape("rectangle", [50, 50], [60, 60]),
        shape("polygon", [40, 30], [45, 30], [45, 50], group_id=1),
        shape("point", [12, 22], group_id=1),
        shape("rectangle", [50, 50], [60, 60]),
    )
    file = read(tmp_path, document(*shapes))
    found = file.asks_of("a").objects
    assert [one.class_name for one in found] == ["cat", "dog", "cat", "cat"]
    assert boxes_of(file) == [(10, 20, 45, 50), (10, 20, 30, 40), *[(50, 50, 60, 60)] * 2]
    assert found[0].points == ((12, 22, 1),)


def test_an_object_has_room_for_so_many_points(tmp_path: Path) -> None:
    file = read(tmp_path, document(*[shape("point", [1, 1], group_id=5)] * 33))
    (found,) = file.asks_of("a").objects
    assert len(found.points) == 32
    (problem,) = file.problems
    assert "shape 'cat' (index 32): is point 33 of one object, which may have 32" in problem


NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "said"),
    [(shape("rectangle", [1, 1], [1, 9]), "(index 1): the box is 0 wide and 8 high"),
     (shape("rectangle", [1, 1]), "a rectangle cannot have 1 points"),
     (shape("polygon", [1, 1], [2, 2]), "a polygon cannot have 2 points"),
     (shape("circle", [1, 1]), "a circle cannot have 1 points"),
     (shape("circle", [1, 1], [1, 1]), "the box is 0 wide and 0 high"),
     (shape("point", [1, 1], [2, 2]), "a point cannot have 2 points"),
     (shape("point", [101, 1]), "the point (101, 1) lies outside of the image of 100×80 pixels"),
     (shape("line", [1, 1], [2, 2]), 'shape_type "line" encloses no area; draw a'),
     (shape("linestrip", [1, 1], [2, 2]), 'shape_type "linestrip" encloses no area'),
     (shape("polygon"), "has no list of points"),
     (shape("polygon", [1, 1], [2, NAN], [3, 3]), "must be two finite numbers, x and y"),
     (shape("polygon", [1, 1], [2, 10**400], [3, 3]), "must be two finite numbers, x and y"),
     (shape("polygon", [1, 1], [2, "2"], [3, 3]), "must be two finite numbers, x and y"),
     (shape("polygon", [1, 1], [2], [3, 3]), "must be two finite numbers, x and y"),
     (shape("rectangle", [200, 1], [201, 5]), "the box lies outside of the image of 100×80"),
     (shape("circle", [1e308, 1], [-1e308, 1]), "a coordinate is no finite number"),
     (shape("rectangle", [1, 1], [5, 5], label=""), "the class's name is empty"),
     (shape("rectangle", [1, 1], [5, 5], label=3), "(index 1): must be an object with a text"),
     (shape([], [1, 1], [5, 5]), "shape_type (a list) encloses no area"),
     (shape("rectangle", [1, 1], [5, 5], group_id=[1]), "group_id (a list) must be a whole number"),
     (shape("rectangle", [1, 1], [5, 5], group_id=1.5), "group_id 1.5 must be a whole number"),
     (None, "(index 1): must be an object with a text 'label'")],
    ids=range(22),
)  # fmt: skip
def test_a_bad_shape_costs_only_itself(tmp_path: Path, one: Any, said: str) -> None:
    good = shape("rectangle", [10, 20], [30, 40])
    file = read(tmp_path, document(good, one, good))
    assert boxes_of(file) == [(10, 20, 30, 40)] * 2
    (problem,) = file.problems
    assert problem.startswith(f"{tmp_path}/a.json: shape")
    assert said in problem


@pytest.mark.parametrize(
    ("change", "said"),
    [({"shapes": None}, "has no list 'shapes'"),
     ({"imagePath": "b.jpg"}, "names the image 'b.jpg', and is itself called after another one"),
     ({"imageWidth": 0}, "imageWidth 0 and imageHeight 80 must be whole numbers above 0"),
     ({"imageHeight": None}, "imageWidth 100 and imageHeight null must be whole numbers"),
     ({"imageHeight": 80.0}, "imageHeight 80.0 must be whole numbers")],
)  # fmt: skip
def test_a_bad_file_is_a_sentence(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, document(**change))
    assert str(caught.value).startswith(f"{tmp_path}/a.json: ")
    assert said in str(caught.value)


def test_in_a_folder_a_bad_file_costs_only_itself(tmp_path: Path) -> None:
    good = json.dumps(document(shape("rectangle", [10, 20], [30, 40])))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.json").write_text(good)
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text('{"images": [], "annotations": [], "categories": []}')
    file = read_boxes(tmp_path)
    assert list(file.images) == ["x/a"]
    first, second = file.problems
    assert first.startswith(f"{tmp_path}/b.json, line 1: is not JSON")
    assert second.startswith(f"{tmp_path}/c.json: has no list 'shapes'")
    assert second.endswith("a COCO file is given by itself")


def test_a_size_that_the_file_leaves_out_is_not_made_up(tmp_path: Path) -> None:
    one = shape("rectangle", [10, 20], [3000, 40])
    file = read(tmp_path, document(one, imageWidth=None, imageHeight=None, imagePath="..\\a.jpg"))
    assert file.asks_of("a").size is None
    assert boxes_of(file) == [(10, 20, 3000, 40)]


cents = st.integers(0, 8_000).map(lambda value: value / 100)
spans = st.tuples(cents, cents).filter(lambda pair: pair[0] < pair[1])
words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(st.lists(st.tuples(words, spans, spans, st.booleans()), max_size=20))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[str, tuple[float, float], tuple[float, float], bool]],
) -> None:
    shapes = [
        shape("point", [x[0], y[0]], label=name)
        if is_point
        else shape("rectangle", [x[1], y[0]], [x[0], y[1]], label=name)
        for name, x, y, is_point in found
    ]
    file = read(tmp_path_factory.mktemp("labelme"), document(*shapes))
    assert list(file.problems) == []
    for one, (name, x, y, is_point) in zip(file.asks_of("a").objects, found, strict=True):
        assert one.class_name == name
        assert one.box_xyxy == (None if is_point else (x[0], y[0], x[1], y[1]))
        assert one.points == (((x[0], y[0], 1),) if is_point else ())
