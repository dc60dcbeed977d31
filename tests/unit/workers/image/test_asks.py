"""Objects as the source gives them, in the pixels of the image that is there."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from maskpool import rle
from maskpool.domain import Found
from maskpool.errors import ImageError, SpecError
from maskpool.rle import Rle
from workers.image.asks import place, say_outside

SIZE = (40, 80)
CLASSES = {"cat": 2, "dog": 3}


def asked(*objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"objects": [{"class": "cat", **one} for one in objects], **more}


def test_no_objects_are_no_objects() -> None:
    nothing = place(None, SIZE, CLASSES)
    assert (nothing.inside, nothing.outside, nothing.points_outside) == ((), (), {})
    assert place({}, SIZE, CLASSES).complete([]) == []


def test_pixels_stay_pixels() -> None:
    one = {"class": "dog", "box": [10, 5, 30.5, 20], "points": [[12, 9, 1], [0, 40, 0]]}
    (ask,) = place(asked(one | {"score": 0.9}), SIZE, CLASSES).inside

    assert (ask.object_index, ask.prompt_index) == (0, 3)
    assert ask.box_xyxy == (10.0, 5.0, 30.5, 20.0)
    assert ask.points == ((12.0, 9.0, 1), (0.0, 40.0, 0))
    assert ask.score == float(np.float32(0.9)), "as the row keeps it"


def test_fractions_are_of_width_and_height() -> None:
    one = {"box": [0.25, 0.5, 1.0, 1.0], "points": [[0.5, 0.75, 1]]}
    (ask,) = place(asked(one, unit="fraction"), SIZE, CLASSES).inside

    assert ask.box_xyxy == (20.0, 20.0, 80.0, 40.0)
    assert ask.points == ((40.0, 30.0, 1),)


@pytest.mark.parametrize("unit", ["pixel", "fraction"])
def test_an_image_of_another_size_is_refused(unit: str) -> None:
    with pytest.raises(ImageError, match=r"image of 40 × 80 pixels, and this one has 80 × 40"):
        place(asked({"box": [0, 0, 1, 1]}, unit=unit, size=[40, 80]), SIZE, CLASSES)
    assert place(asked({"box": [0, 0, 1, 1]}, unit=unit, size=[80, 40]), SIZE, CLASSES).inside


def test_boxes_are_clipped_to_the_image() -> None:
    (ask,) = place(asked({"box": [-5, 10, 95, 1e9]}), SIZE, CLASSES).inside

    assert ask.box_xyxy == (0.0, 10.0, 80.0, 40.0)


def test_points_outside_are_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    one = {"points": [[80, 0, 1], [80.5, 3, 1], [3, -1, 0]]}
    boxed = {"box": [0, 0, 5, 5], "points": [[-1, 3, 1]]}
    sound = {"points": [[3, 3, 1]]}
    gone = {"points": [[81, 3, 1], [5, 5, 0]]}

    placed = place(asked(one, sound, gone, boxed), SIZE, CLASSES)

    first, _, last = placed.inside
    assert first.points == ((80.0, 0.0, 1),)
    assert (last.box_xyxy, last.points) == ((0.0, 0.0, 5.0, 5.0), ())
    with caplog.at_level(logging.WARNING):
        say_outside("a.jpg", placed)
    empty, left_out = caplog.messages
    assert empty == "image a.jpg: objects[2] lies outside its 80 × 40 pixels, so the mask is empty"
    assert left_out == (
        "image a.jpg: 3 points of objects[0], objects[3] lie outside its 80 × 40 pixels "
        "and are left out"
    )


def test_one_point_outside_is_said_as_one(caplog: pytest.LogCaptureFixture) -> None:
    one = {"points": [[0.5, 0.5, 1], [0.5, 1.01, 0]]}

    with caplog.at_level(logging.WARNING):
        say_outside("a.jpg", place(asked(one, unit="fraction"), SIZE, CLASSES))

    assert caplog.messages == [
        "image a.jpg: 1 point of objects[0] lies outside its 80 × 40 pixels and is left out"
    ]


@pytest.mark.parametrize(
    "one",
    [
        {"box": [80, 0, 90, 20]},
        {"box": [5, -20, 10, 0], "points": [[5, 5, 1]]},
        {"points": [[5, 41, 1], [5, 5, 0]]},
    ],
)
def test_an_object_outside_is_an_empty_mask_in_its_place_and_said(
    one: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    placed = place(asked({"box": [0, 0, 5, 5]}, one, {"box": [1, 1, 9, 9]}), SIZE, CLASSES)
    drawn = [
        Found(2, 1.0, (0, 0, 5, 5), Rle(SIZE, "x"), ask.object_index, 0.9) for ask in placed.inside
    ]
    texts = [
        Found(1, 0.5, (0, 0, 5, 5), Rle(SIZE, "x")),
        Found(0, 0.9, (0, 0, 5, 5), Rle(SIZE, "x")),
    ]

    found = placed.complete([*texts, *drawn])

    assert found[:2] == texts
    assert [one.object_index for one in found[2:]] == [0, 1, 2]
    empty = found[3]
    assert (empty.box_xyxy, empty.score, empty.prompt_index) == ((0.0, 0.0, 0.0, 0.0), 1.0, 2)
    assert (rle.area(empty.mask), empty.mask.size, empty.predicted_iou) == (0, SIZE, None)
    with caplog.at_level(logging.WARNING):
        say_outside("a.jpg", placed)
    assert caplog.messages == [
        "image a.jpg: objects[1] lies outside its 80 × 40 pixels, so the mask is empty"
    ]


def test_many_outside_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        say_outside("a.jpg", place(asked(*[{"box": [90, 0, 99, 9]}] * 30), SIZE, CLASSES))

    (line,) = caplog.messages
    assert "objects[9] and 20 more lie outside" in line


def test_a_class_that_the_batch_does_not_have_is_named() -> None:
    with pytest.raises(SpecError, match=r"objects\[1\]\.class: 'cow' is none of the batch's"):
        place(asked({"box": [0, 0, 5, 5]}, {"class": "cow", "box": [0, 0, 5, 5]}), SIZE, CLASSES)


def test_damaged_asks_are_told() -> None:
    with pytest.raises(SpecError, match=r"objects\[0\]"):
        place(asked({"box": [5, 0, 5, 5]}), SIZE, CLASSES)
