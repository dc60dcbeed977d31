"""Boxes as numbers: kept within their image, or refused with a sentence."""

from __future__ import annotations

import math

from producer.formats.boxes.box_file import Box, Unit

#: How far beyond its image a box may reach, in sides of the image. A box of YOLO whose centre lies
#: within the image and which is no wider than it reaches so far; what reaches farther is more
#: likely a box of another image, or in another unit.
_MAX_OVERHANG = 0.5

#: Decimals that are kept: sums of floating point have noise behind them, which would only take
#: room in rows.
_DECIMALS: dict[Unit, int] = {"pixel": 6, "fraction": 9}


def within(box_xyxy: Box, size: tuple[int, int] | None, unit: Unit = "pixel") -> Box:
    """A box cut at the edges of its image.

    Args:
        box_xyxy: Of any numbers, right and bottom exclusive.
        size: ``(width, height)`` of the image in pixels; None where nobody says it, and then only
            the left and the upper edge are known.
        unit: Of the box.

    Raises:
        ValueError: It holds no area, lies outside of the image, or reaches too far beyond it; a
            sentence without the place.
    """
    left, top, right, bottom = (round(value, _DECIMALS[unit]) for value in _finite(box_xyxy))
    if left >= right or top >= bottom:
        sides = f"{_shown(right - left)} wide and {_shown(bottom - top)} high"
        msg = f"the box is {sides}; both must be above 0"
        raise ValueError(msg)
    width, height = (1.0, 1.0) if unit == "fraction" else size or (math.inf, math.inf)
    _require_near(((left, right, width), (top, bottom, height)), unit)
    return (max(0.0, left), max(0.0, top), min(right, width), min(bottom, height))


def around(points: list[tuple[float, float]]) -> Box:
    """The box around corners."""
    across, down = zip(*points, strict=True)
    return (min(across), min(down), max(across), max(down))


def require_inside(x: float, y: float, size: tuple[int, int] | None) -> None:
    """Refuse a point in pixels that lies outside of its image, as far as its size is known.

    Raises:
        ValueError: It does; a sentence without the place.
    """
    width, height = size or (math.inf, math.inf)
    if not (0 <= x <= width and 0 <= y <= height):  # false for NaN
        of = f" of {width:.0f}×{height:.0f} pixels" if size else ""
        msg = f"the point ({_shown(x)}, {_shown(y)}) lies outside of the image{of}"
        raise ValueError(msg)


def _finite(box: Box) -> Box:
    if not all(map(math.isfinite, box)):
        msg = "a coordinate is no finite number"
        raise ValueError(msg)
    return box


def _require_near(spans: tuple[tuple[float, float, float], ...], unit: Unit) -> None:
    """Refuse what has no part in the image, and what reaches far beyond it."""
    (_, _, width), (_, _, height) = spans
    whole = "the image, whose coordinates go from 0 to 1"
    if unit == "pixel":
        whole = f"the image of {_shown(width)}×{_shown(height)} pixels"
        whole = "the image" if math.isinf(width) else whole
    for low, high, side in spans:
        if high <= 0 or low >= side:
            msg = f"the box lies outside of {whole}: it goes from {_shown(low)} to {_shown(high)}"
            raise ValueError(msg)
        reach = _MAX_OVERHANG * side
        if low < -reach or high > side + reach:
            far = low if low < -reach else high
            msg = (
                f"the box reaches to {_shown(far)}, more than half an image beyond {whole}; is it "
                "of this image, and in this unit?"
            )
            raise ValueError(msg)


def _shown(value: float) -> str:
    return f"{value:.10g}"
