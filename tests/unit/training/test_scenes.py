"""Drawn scenes: the same every time, and their masks tell the truth about the pixels."""

import numpy as np
import pytest

from training.brushes import DISTRACTORS, hsv_to_rgb, outline
from training.scenes import (
    HELD_OUT_SEED,
    MAX_OBJECTS,
    MIN_VISIBLE_AREA,
    Scene,
    draw_scene,
    mask_bounds,
)
from training.vocabulary import COLOURS, SHAPES

#: Hue in degrees around which each colour's pixels lie, and how far they may stray.
HUES = {"red": 0, "orange": 28, "yellow": 55, "green": 125, "blue": 222, "purple": 286}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(HELD_OUT_SEED + index) for index in range(60)]


def test_the_same_seed_draws_the_same_scene() -> None:
    first, second = draw_scene(5), draw_scene(5)
    assert np.array_equal(first.image, second.image)
    assert [(item.shape, item.colour, item.box_xyxy) for item in first.objects] == [
        (item.shape, item.colour, item.box_xyxy) for item in second.objects
    ]


def test_different_seeds_draw_different_scenes() -> None:
    first, second = draw_scene(5), draw_scene(6)
    assert first.image.shape != second.image.shape or not np.array_equal(first.image, second.image)


def test_sizes_stay_within_their_bounds(scenes: list[Scene]) -> None:
    for scene in scenes:
        height, width, channels = scene.image.shape
        assert scene.image.dtype == np.uint8
        assert channels == 3
        assert 160 <= min(height, width) <= max(height, width) <= 640
        assert max(height, width) <= 2.01 * min(height, width)
        assert 1 <= len(scene.objects) <= MAX_OBJECTS


def test_every_shape_and_colour_is_drawn(scenes: list[Scene]) -> None:
    items = [item for scene in scenes for item in scene.objects]
    assert {item.shape for item in items} == set(SHAPES)
    assert {item.colour for item in items} == set(COLOURS)


def test_visible_parts_are_disjoint_and_large_enough(scenes: list[Scene]) -> None:
    for scene in scenes:
        layers = np.stack([item.mask for item in scene.objects])
        assert layers.dtype == np.bool_
        assert layers.shape[1:] == scene.image.shape[:2]
        assert layers.sum(0).max() <= 1
        assert layers.mean((1, 2)).min() >= MIN_VISIBLE_AREA


def test_boxes_are_the_bounds_of_the_visible_part(scenes: list[Scene]) -> None:
    for scene in scenes:
        for item in scene.objects:
            left, top, right, bottom = (int(value) for value in item.box_xyxy)
            assert item.mask[top:bottom, left:right].sum() == item.mask.sum()
            assert item.box_xyxy == mask_bounds(item.mask)


def test_masks_cover_pixels_of_the_named_colour(scenes: list[Scene]) -> None:
    for scene in scenes:
        for item in scene.objects:
            red, green, blue = np.median(scene.image[item.mask], axis=0) / 255
            hue = _hue(red, green, blue)
            distance = abs((hue - HUES[item.colour] + 180) % 360 - 180)
            assert distance < 26, (item.colour, hue)


def test_hsv_to_rgb_knows_the_pure_colours() -> None:
    assert hsv_to_rgb(0, 1, 1).tolist() == [255, 0, 0]
    assert hsv_to_rgb(60, 1, 1).tolist() == [255, 255, 0]
    assert hsv_to_rgb(120, 1, 1).tolist() == [0, 255, 0]
    assert hsv_to_rgb(240, 1, 1).tolist() == [0, 0, 255]
    assert hsv_to_rgb(-300, 0, 0.2).tolist() == pytest.approx([51, 51, 51])


@pytest.mark.parametrize("shape", [*SHAPES, *DISTRACTORS])
def test_outlines_are_of_similar_size(shape: str) -> None:
    radius = np.hypot(*outline(shape).T).max()
    assert 0.8 < radius < 1.25


def _hue(red: float, green: float, blue: float) -> float:
    """Returns the hue in degrees of RGB in 0-1."""
    high, low = max(red, green, blue), min(red, green, blue)
    spread = high - low
    if high == red:
        return 60 * ((green - blue) / spread % 6)
    return 60 * ((blue - red) / spread + 2) if high == green else 60 * ((red - green) / spread + 4)
