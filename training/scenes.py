"""Draws scenes of coloured shapes with the mask of every shape's visible part.

The same seed always gives the same scene. Two rules keep the ground truth honest:

* Everything drawn in a named colour and shape is annotated, nothing is dropped afterwards. A place
  is refused while drawing if the new object would hide more than half of an earlier one, or leave
  any with a visible part below 0.35 % of the image; an object which finds no place in a number of
  tries is not drawn.
* Gray bars and half discs lie about which no prompt names. They are never annotated.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.brushes import (
    DISTRACTORS,
    add_noise,
    background,
    pick_colour,
    shape_coverage,
    smooth_field,
)
from training.vocabulary import COLOURS, SHAPES

Rng = np.random.Generator
Mask = npt.NDArray[np.bool_]

#: First seeds of the three disjoint ranges.
TRAIN_SEED = 0
HELD_OUT_SEED = 10_000_000
SAMPLE_SEED = 20_000_000

MAX_OBJECTS = 7
MIN_VISIBLE_SHARE = 0.5
MIN_VISIBLE_AREA = 0.0035
_SIDE_RANGE = (160, 640)
_MAX_ASPECT = 2.0
_PLACING_TRIES = 12


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One annotated object."""

    #: A name from `SHAPES`.
    shape: str
    #: A name from `COLOURS`.
    colour: str
    #: bool `(height, width)`, the visible part.
    mask: Mask
    #: Bounds of the visible part in pixels, right and bottom exclusive.
    box_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """One drawn image with its ground truth."""

    #: uint8 `(height, width, 3)`, RGB.
    image: npt.NDArray[np.uint8]
    #: From the bottom of the pile to the top.
    objects: tuple[SceneObject, ...]


@dataclass(slots=True)
class _Placed:
    """One shape on the canvas while the scene grows; `colour` is "gray" for distractors."""

    shape: str
    colour: str
    coverage: npt.NDArray[np.float32]
    visible: Mask
    whole_area: int


def draw_scene(seed: int, *, min_objects: int = 1, max_objects: int = MAX_OBJECTS) -> Scene:
    """Draws one scene.

    Args:
        seed: Decides everything about the scene.
        min_objects: The least number of objects tried; crowded scenes may end with fewer.
        max_objects: The largest number of objects.

    Returns:
        The scene, with at least one object.
    """
    rng = np.random.default_rng([7, seed])
    height, width = _pick_size(rng)
    wanted = _pick_objects(rng, int(rng.integers(min_objects, max_objects + 1)))
    placed = _place_all(rng, wanted, height, width)
    canvas = background(rng, height, width)
    for item in placed:
        _paint(rng, canvas, item)
    add_noise(rng, canvas, float(rng.choice([0.0, rng.uniform(1, 12)], p=[0.3, 0.7])))
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    objects = tuple(
        SceneObject(item.shape, item.colour, item.visible, mask_bounds(item.visible))
        for item in placed
        if item.colour != "gray"
    )
    return Scene(image, objects)


def mask_bounds(mask: Mask) -> tuple[float, float, float, float]:
    """Returns a non-empty mask's xyxy bounds in pixels, right and bottom exclusive."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _pick_size(rng: Rng) -> tuple[int, int]:
    """Picks (height, width) with an aspect between 1:2 and 2:1, all sides within 160-640 pixels."""
    low, high = _SIDE_RANGE
    longer = int(np.exp(rng.uniform(np.log(low * 1.3), np.log(high))))
    shorter = max(low, int(longer / _MAX_ASPECT ** rng.uniform(0, 1)))
    return (longer, shorter) if rng.random() < 0.5 else (shorter, longer)


def _pick_objects(rng: Rng, count: int) -> list[tuple[str, str]]:
    """Picks (shape, colour) pairs, sometimes of few kinds, so that similar objects lie together."""
    shapes, colours = list(SHAPES), list(COLOURS)
    if rng.random() < 0.2:
        colours = list(rng.choice(colours, int(rng.integers(1, 3)), replace=False))
    if rng.random() < 0.2:
        shapes = list(rng.choice(shapes, int(rng.integers(1, 3)), replace=False))
    wanted = [(str(rng.choice(shapes)), str(rng.choice(colours))) for _ in range(count)]
    if rng.random() < 0.3:
        distractors = [
            (str(rng.choice(DISTRACTORS)), "gray") for _ in range(int(rng.integers(1, 3)))
        ]
        wanted = distractors + wanted
    return wanted


def _place_all(rng: Rng, wanted: list[tuple[str, str]], height: int, width: int) -> list[_Placed]:
    """Finds a place for each wanted shape, later ones above earlier ones."""
    placed: list[_Placed] = []
    overlaps_allowed = rng.random() < 0.65
    scale = float(np.sqrt(height * width))
    largest = 0.27 if len(wanted) <= 3 else 0.20
    for shape, colour in wanted:
        for _ in range(_PLACING_TRIES):
            # The power favours small ones, which are the hardest to learn.
            radius = scale * np.interp(rng.random() ** 1.3, [0, 1], [0.08, largest])
            x, y = (
                rng.uniform(0.8 * radius, width - 0.8 * radius),
                rng.uniform(0.8 * radius, height - 0.8 * radius),
            )
            angle = rng.uniform(0, 2 * np.pi)
            coverage = shape_coverage(
                shape, (x, y), radius=radius, angle=angle, size=(height, width)
            )
            if _try_to_add(
                placed, _Placed(shape, colour, coverage, coverage > 0.5, 0), overlaps_allowed
            ):
                break
    return placed


def _try_to_add(placed: list[_Placed], new: _Placed, overlaps_allowed: bool) -> bool:
    """Adds the new shape on top unless that breaks the rules of visibility; tells whether."""
    new.whole_area = int(new.visible.sum())
    smallest = MIN_VISIBLE_AREA * new.visible.size
    if new.whole_area < smallest:
        return False
    remaining = [item.visible & ~new.visible for item in placed]
    for item, left in zip(placed, remaining, strict=True):
        area = int(left.sum())
        if not overlaps_allowed and area < item.visible.sum():
            return False
        if area < max(smallest, MIN_VISIBLE_SHARE * item.whole_area):
            return False
    for item, left in zip(placed, remaining, strict=True):
        item.visible = left
    placed.append(new)
    return True


def _paint(rng: Rng, canvas: npt.NDArray[np.float32], item: _Placed) -> None:
    """Paints one shape over the canvas in place, softly shaded."""
    rows, columns = np.flatnonzero(item.coverage.any(1)), np.flatnonzero(item.coverage.any(0))
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    coverage = item.coverage[window][..., None]
    hills = smooth_field(rng, coverage.shape[0], coverage.shape[1], 2)
    shading = 1 + hills[..., None] * rng.uniform(0, 0.14)
    tone = pick_colour(rng, item.colour) * shading
    canvas[window] += coverage * (tone - canvas[window])
