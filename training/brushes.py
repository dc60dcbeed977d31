"""The brushes which `scenes` paints with: shapes, colours and backgrounds."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Rng = np.random.Generator

#: Gray things which no prompt names, so that the model cannot call everything an object.
DISTRACTORS = ("bar", "half_disc")

#: Hue range (degrees), saturation range and value range (0-1) of each colour. The hues leave gaps
#: between the names: people disagree whether a colour in between is "red".
_HSV_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-8, 7), (0.75, 1.0), (0.65, 1.0)),
    "orange": ((23, 34), (0.80, 1.0), (0.85, 1.0)),
    "yellow": ((50, 61), (0.70, 1.0), (0.85, 1.0)),
    "green": ((100, 150), (0.60, 1.0), (0.45, 0.9)),
    "blue": ((208, 236), (0.65, 1.0), (0.55, 1.0)),
    "purple": ((274, 298), (0.55, 0.95), (0.50, 0.95)),
}

#: Shapes are scaled to look equally large: a star fills less of its circle than a disc.
_RELATIVE_RADIUS = {"circle": 0.85, "square": 1.0, "triangle": 1.1, "star": 1.15, "cross": 1.05}

_SUPERSAMPLING = 3


def pick_colour(rng: Rng, colour: str) -> npt.NDArray[np.float32]:
    """Draws one RGB tone of a named colour.

    Args:
        rng: Source of randomness.
        colour: A name from `vocabulary.COLOURS`, or "gray".

    Returns:
        float32 `(3,)`, 0-255.
    """
    if colour == "gray":
        return np.full(3, rng.uniform(40, 215), np.float32) + rng.uniform(-4, 4, 3).astype(
            np.float32
        )
    hue, saturation, value = (rng.uniform(low, high) for low, high in _HSV_RANGES[colour])
    return hsv_to_rgb(hue, saturation, value)


def hsv_to_rgb(hue: float, saturation: float, value: float) -> npt.NDArray[np.float32]:
    """Turns a hue in degrees with saturation and value in 0-1 into float32 RGB `(3,)`, 0-255."""
    sector = (np.array([5.0, 3.0, 1.0]) + hue / 60) % 6
    ramp = np.clip(np.minimum(sector, 4 - sector), 0, 1)
    rgb: npt.NDArray[np.float32] = (255 * value * (1 - saturation * ramp)).astype(np.float32)
    return rgb


def outline(shape: str) -> npt.NDArray[np.float64]:
    """Returns an unrotated shape's corners, float64 `(points, 2)` as x, y, radius about 1."""
    if shape == "cross":
        arm, reach = 0.33, 0.94
        quarter = np.array([(arm, reach), (arm, arm), (reach, arm)])
        turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        points = np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])
    elif shape == "bar":
        points = np.array([(-1, -0.16), (1, -0.16), (1, 0.16), (-1, 0.16)], float)
    else:
        count, inner, arc = {
            "circle": (64, 1.0, 2 * math.pi),
            "square": (4, 1.0, 2 * math.pi),
            "triangle": (3, 1.0, 2 * math.pi),
            "star": (10, 0.45, 2 * math.pi),
            "half_disc": (33, 1.0, math.pi * 33 / 32),
        }[shape]
        angles = np.arange(count) * arc / count
        radii = np.where(np.arange(count) % 2 == 1, inner, 1.0)
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return points * _RELATIVE_RADIUS.get(shape, 1.0)


def shape_coverage(
    shape: str,
    centre_xy: tuple[float, float],
    *,
    radius: float,
    angle: float,
    size: tuple[int, int],
) -> npt.NDArray[np.float32]:
    """Draws one shape with soft edges.

    Args:
        shape: A name from `vocabulary.SHAPES` or `DISTRACTORS`.
        centre_xy: Its centre in pixels.
        radius: Its radius in pixels.
        angle: Its rotation in radians.
        size: Height and width of the canvas in pixels.

    Returns:
        float32 `(height, width)`, the share of each pixel which the shape covers, 0-1.
    """
    height, width = size
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = outline(shape) @ rotation * radius + np.array(centre_xy)
    left, top = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 1, (width, height))
    coverage = np.zeros((height, width), np.float32)
    if right <= left or bottom <= top:
        return coverage
    columns, rows = int(right - left), int(bottom - top)
    patch = Image.new("L", (columns * _SUPERSAMPLING, rows * _SUPERSAMPLING))
    corners = ((points - (left, top)) * _SUPERSAMPLING - 0.5).ravel().tolist()
    ImageDraw.Draw(patch).polygon(corners, fill=255)
    small = patch.resize((columns, rows), Image.Resampling.BOX)
    coverage[top:bottom, left:right] = np.asarray(small, np.float32) / 255
    return coverage


def smooth_field(rng: Rng, height: int, width: int, cells: int) -> npt.NDArray[np.float32]:
    """Returns soft hills, float32 `(height, width)`, about -1 to 1, `cells` bumps along a side."""
    coarse = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def _stripes(rng: Rng, height: int, width: int) -> npt.NDArray[np.float32]:
    """Returns parallel bands or a chequerboard, float32 `(height, width)`, -1 or 1."""
    angle, period = rng.uniform(0, math.pi), rng.uniform(8, 40)
    along = np.arange(width, dtype=np.float32)[None] * math.cos(angle)
    across = np.arange(height, dtype=np.float32)[:, None] * math.sin(angle)
    bands = np.sign(np.sin((along + across) * (2 * math.pi / period)))
    if rng.random() < 0.4:
        turned = np.arange(height, dtype=np.float32)[:, None] * math.cos(angle) - (
            np.arange(width, dtype=np.float32)[None] * math.sin(angle)
        )
        bands = bands * np.sign(np.sin(turned * (2 * math.pi / period)))
    return bands.astype(np.float32)


def background(rng: Rng, height: int, width: int) -> npt.NDArray[np.float32]:
    """Paints a pale or dark, plain or textured ground in a colour too dull for any named one.

    Args:
        rng: Source of randomness.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        float32 `(height, width, 3)`, 0-255 (slightly outside where textures add up).
    """
    tone = hsv_to_rgb(rng.uniform(0, 360), rng.uniform(0, 0.22), rng.uniform(0.12, 1.0))
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = tone
    kind = rng.choice(["plain", "gradient", "hills", "stripes"], p=[0.3, 0.25, 0.25, 0.2])
    if kind == "gradient":
        canvas += (smooth_field(rng, height, width, 2) * rng.uniform(10, 35))[..., None]
    elif kind == "hills":
        canvas += (smooth_field(rng, height, width, int(rng.integers(4, 24))) * rng.uniform(8, 28))[
            ..., None
        ]
    elif kind == "stripes":
        canvas += (_stripes(rng, height, width) * rng.uniform(4, 16))[..., None]
    return canvas


def add_noise(rng: Rng, canvas: npt.NDArray[np.float32], sigma: float) -> None:
    """Adds grain of sigma gray levels to float32 `(height, width, 3)` in place."""
    # Two bytes of uniform noise look like Gaussian grain and cost a tenth of normal numbers.
    raw = np.frombuffer(rng.bytes(canvas.size * 2), np.uint8).reshape(2, *canvas.shape)
    grain = raw[0].astype(np.float32) + raw[1] - 255.0
    canvas += grain * (sigma / 104.5)


__all__ = [
    "DISTRACTORS",
    "add_noise",
    "background",
    "hsv_to_rgb",
    "outline",
    "pick_colour",
    "shape_coverage",
    "smooth_field",
]
