"""What one image is asked: read as written, or refused by field; its text is always the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskpool.asks import MAX_OBJECTS, MAX_POINTS, ImageAsks
from maskpool.errors import SpecError

BOX = {"class": "cat", "box": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ([], "spec"),
        ({"objects": {}}, "objects"),
        ({"objects": [{}]}, "objects[0].class"),
        ({"objects": [{"class": "cat"}]}, "objects[0]"),
        ({"objects": [{"class": " ", "box": [1, 2, 3, 4]}]}, "objects[0].class"),
        ({"objects": [BOX, {**BOX, "box": [3, 2, 1, 4]}]}, "objects[1].box"),
        ({"objects": [{**BOX, "box": [1, 2, 1, 4]}]}, "objects[0].box"),
        ({"objects": [{**BOX, "box": [1, 2, 3]}]}, "objects[0].box[3]"),
        ({"objects": [{**BOX, "box": [1, 2, 3, float("nan")]}]}, "objects[0].box[3]"),
        ({"objects": [{**BOX, "score": 1.5}]}, "objects[0].score"),
        ({"objects": [{**BOX, "points": [[1, 2, 2]]}]}, "objects[0].points[0][2]"),
        ({"objects": [{**BOX, "points": [[1, 2]]}]}, "objects[0].points[0]"),
        ({"objects": [{**BOX, "points": [[1, 2, 1, 1]]}]}, "objects[0].points[0]"),
        ({"objects": [{"class": "cat", "points": [[1, 2, 0]]}]}, "objects[0]"),
        ({"objects": [{**BOX, "points": [[1, 2, 1]] * (MAX_POINTS + 1)}]}, "objects[0].points"),
        ({"objects": [{**BOX, "mask": "x"}]}, "objects[0].mask"),
        ({"objects": [BOX] * (MAX_OBJECTS + 1)}, "objects"),
        ({"objects": [{**BOX, "points": [[0.123456789, 0.123456789, 1]] * 30}] * 99}, "objects"),
        ({"objects": [BOX], "unit": "inch"}, "unit"),
        ({"objects": [BOX], "size": [0, 5]}, "size[0]"),
    ],
)
def test_every_refusal_names_its_field(data: object, field: str) -> None:
    with pytest.raises(SpecError) as refused:
        ImageAsks.read(data)
    assert refused.value.field == field


numbers = st.floats(-1e6, 1e6, allow_nan=False)
points = st.tuples(numbers, numbers, st.sampled_from([0, 1]))
objects = st.builds(
    lambda name, x, y, w, h, more: {"class": name, "box": [x, y, x + w, y + h], "points": more},
    st.text("abz é", min_size=1).filter(str.strip),
    *(st.integers(-100, 100), st.integers(-100, 100), st.integers(1, 50), st.integers(1, 50)),
    st.lists(points, max_size=3),
)


@given(st.lists(objects, max_size=5), st.sampled_from(["pixel", "fraction"]))
def test_what_is_dumped_is_read_again_the_same(some: list[object], unit: str) -> None:
    asks = ImageAsks.read({"objects": some, "unit": unit})
    again = ImageAsks.read(json.loads(asks.json_text))
    assert again == asks
    assert again.json_text == asks.json_text
