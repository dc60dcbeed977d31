"""Masks at drawing size: each is scaled, and painted, in its own box only."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from maskpool import rle
from producer.report.colours import Rgb, variant
from producer.results.records import LabelledInstance

#: Masks of fewer drawn pixels get no contour: it would cover what it outlines.
_TINY_AREA = 400

#: Float32; a canvas (height, width, 3) of 0 to 255, or coverage (height, width) of 0 to 1.
Layer = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """A mask at drawing size: coverage in [0, 1], float32 (h, w), with its corner."""

    coverage: Layer
    left: int
    top: int
    colour: Rgb
    label: str

    @property
    def area(self) -> float:
        """Pixels it covers, at drawing size."""
        return float(self.coverage.sum())

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """Its box in pixels of the drawing; right and bottom exclusive."""
        height, width = self.coverage.shape
        return (self.left, self.top, self.left + width, self.top + height)


def shapes_of(
    image_size: tuple[int, int],
    drawn_size: tuple[int, int],
    instances: Sequence[LabelledInstance],
    colours: Mapping[str, Rgb],
) -> Iterable[Shape]:
    """Masks at drawing size, with the colour and the label of each; empty ones are left out.

    Args:
        image_size: Width and height of the image, and so of the masks.
        drawn_size: Width and height of the drawing.
        instances: By category, best first.
        colours: By category.

    Raises:
        ValueError: A mask is of another size than the image.
    """
    ranks: Counter[str] = Counter()
    for labelled in instances:
        found = labelled.instance.found
        runs = rle.to_runs(found.mask)
        if runs.size != image_size[::-1]:
            height, width = runs.size
            msg = f"a mask of {width}×{height} over an image of {image_size[0]}×{image_size[1]}"
            raise ValueError(msg)
        rank = ranks[labelled.category]
        ranks[labelled.category] += 1
        if runs.starts.size:
            colour = variant(colours[labelled.category], rank, len(colours))
            label = f"{_ascii(labelled.category)} {found.score:.2f}".strip()
            yield _scaled(runs, drawn_size, colour, label)


def _ascii(text: str) -> str:
    """``text`` in ASCII, which is all that Pillow's own font has: é becomes e, 犬 is left out."""
    letters = [c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)]
    plain = "".join(letters)
    return plain if plain.isascii() else ""


def _scaled(runs: rle.Runs, drawn_size: tuple[int, int], colour: Rgb, label: str) -> Shape:
    """Bring a mask to drawing size; its edge becomes coverage, and so is smooth."""
    height, width = runs.size
    x0, y0, x1, y1 = rle.box_xyxy(runs)
    crop = Image.fromarray(_crop(runs, (x0, y0, x1, y1)).astype(np.uint8) * 255)
    left, top = x0 * drawn_size[0] // width, y0 * drawn_size[1] // height
    right = min(drawn_size[0], max(left + 1, -(-x1 * drawn_size[0] // width)))
    bottom = min(drawn_size[1], max(top + 1, -(-y1 * drawn_size[1] // height)))
    if (right - left, bottom - top) != crop.size:
        crop = crop.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    coverage = np.asarray(crop, dtype=np.float32) / np.float32(255)
    return Shape(coverage, left, top, colour, label)


def _crop(runs: rle.Runs, box_xyxy: tuple[int, int, int, int]) -> rle.Mask:
    """The mask inside its box: only the box's columns are ever decoded."""
    x0, y0, x1, y1 = box_xyxy
    height = runs.size[0]
    steps = np.zeros((x1 - x0) * height + 1, dtype=np.int8)
    steps[runs.starts - x0 * height] = 1
    steps[runs.ends - x0 * height] -= 1
    columns = np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_).reshape(x1 - x0, height)
    crop: rle.Mask = columns[:, y0:y1].T
    return crop


def paint(canvas: Layer, shape: Shape, *, small: bool) -> None:
    """Paint a mask's fill and contour over a canvas.

    Args:
        canvas: Float32 (height, width, 3); changed in place.
        shape: What is painted.
        small: The canvas is small: a lighter fill and a thin contour.
    """
    x0, y0, x1, y1 = shape.box_xyxy
    fill = 0.35 if small else 0.45
    colour = np.asarray(shape.colour, dtype=np.float32)
    if shape.area < _TINY_AREA:
        _blend(canvas[y0:y1, x0:x1], colour, shape.coverage * fill)
        return
    line = 1 if small else 2
    inside = _eroded(shape.coverage, line)
    core = _eroded(inside, 1)
    part = canvas[y0:y1, x0:x1]
    _blend(part, colour, core * fill)
    # A thin dark line keeps the contour visible where the object has the colour of its mask.
    _blend(part, colour * np.float32(0.25), (inside - core) * 0.6)
    _blend(part, colour, (shape.coverage - inside) * 0.95)


def _blend(part: Layer, colour: Layer, alpha: Layer) -> None:
    part += (colour - part) * alpha[..., None]


def _eroded(coverage: Layer, pixels: int) -> Layer:
    """The lowest coverage within ``pixels`` of each pixel; outside the box it is 0."""
    padded = np.pad(coverage, pixels)
    steps = range(2 * pixels + 1)
    height, width = coverage.shape
    rows = np.minimum.reduce([padded[i : i + height] for i in steps])
    lowest: Layer = np.minimum.reduce([rows[:, i : i + width] for i in steps])
    return lowest
