"""Labels on an overlay: each where it hides no other and is no larger than what it names."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from producer.report.colours import Rgb
from producer.report.shapes import Shape


def write_labels(drawn: Image.Image, shapes: Sequence[Shape]) -> None:
    """Write each label where it hides no other and is no larger than what it names."""
    size = max(11, round(min(drawn.size) / 42))
    font = ImageFont.load_default(size)
    brush = ImageDraw.Draw(drawn)
    placed: list[tuple[float, float, float, float]] = []
    for shape in shapes:
        padding = size / 4
        chip = (brush.textlength(shape.label, font=font) + 2 * padding, size + 2 * padding)
        spot = _spot(shape, chip, drawn.size, placed)
        if spot is None:
            continue
        placed.append(spot)
        brush.rounded_rectangle(spot, radius=size / 4, fill=shape.colour)
        middle = (spot[0] + padding, (spot[1] + spot[3]) / 2)
        brush.text(middle, shape.label, fill=_ink(shape.colour), font=font, anchor="lm")


def _spot(
    shape: Shape,
    chip: tuple[float, float],
    image_size: tuple[int, int],
    placed: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float] | None:
    width, height = chip
    x0, y0, x1, y1 = shape.box_xyxy
    if width * height > (x1 - x0) * (y1 - y0):
        return None
    left = min(max(0.0, (x0 + x1 - width) / 2), image_size[0] - width)
    for top in (y0 - height - 2.0, y1 + 2.0, y0 + 2.0):
        spot = (left, top, left + width, top + height)
        inside = left >= 0 and top >= 0 and spot[3] <= image_size[1]
        if inside and not any(_meet(spot, other) for other in placed):
            return spot
    return None


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _ink(colour: Rgb) -> str:
    """Black or white, whichever reads better on ``colour`` (ITU-R 601 luma)."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else "white"
