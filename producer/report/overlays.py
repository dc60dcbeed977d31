"""Drawing masks over images: a translucent fill, a crisp contour, a label where one fits.

Every mask is worked on in its own box only. Large masks are painted before small ones, so that none
hides another; instances of one category are shades of the category's colour.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

from maskpool import rle
from maskpool.errors import MaskpoolError
from producer.report.colours import Rgb, palette, variant
from producer.report.safe_names import SafeNames
from producer.results.records import ImageResult, LabelledInstance

log = logging.getLogger(__name__)

#: Larger images are drawn at this size, longest side: an overlay is for eyes on a screen.
LONGEST_SIDE = 1600

#: Smaller images are enlarged by a whole factor to at least this, so that labels can be read.
SHORTEST_LONGEST_SIDE = 480

_JPEG_QUALITY = 85

#: Below this longest side fills are lighter and contours one pixel wide.
_SMALL_SIDE = 640

#: Masks of fewer drawn pixels get no contour: it would cover what it outlines.
_TINY_AREA = 400

_Layer = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Overlay:
    """One drawn image.

    Attributes:
        path: The JPEG.
        name: The image's name in its batch.
        width: Of the JPEG, pixels.
        height: Of the JPEG, pixels.
        counts: Instances by category; categories without any are left out.
    """

    path: Path
    name: str
    width: int
    height: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A mask at drawing size: coverage in [0, 1], float32 (h, w), with its corner."""

    coverage: _Layer
    left: int
    top: int
    colour: Rgb
    label: str

    @property
    def area(self) -> float:
        return float(self.coverage.sum())

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        height, width = self.coverage.shape
        return (self.left, self.top, self.left + width, self.top + height)


def save_overlays(
    images: Iterable[ImageResult],
    open_image: Callable[[str], Image.Image],
    folder: Path,
    *,
    total: int,
    categories: Sequence[str],
    limit: int | None = 200,
) -> list[Overlay]:
    """Draw images into ``folder`` as JPEG, under their names, subfolders included.

    Args:
        images: Streamed; only those that are drawn are opened.
        open_image: From an image's ``uri`` to the image.
        folder: Made where it is missing.
        total: How many ``images`` there are, to spread a sample evenly over them.
        categories: All of the batch, so that every image uses the same colours.
        limit: Most overlays; None draws every image.

    Returns:
        What was drawn, in the order of ``images``. An image that cannot be opened any more, or is
        no longer of the size that was annotated, is logged and left out.
    """
    colours = palette(categories)
    names = SafeNames(".jpg")
    drawn = []
    for index, result in enumerate(images):
        if not _sampled(index, total, limit):
            continue
        image = _opened(result, open_image)
        if image is None:
            continue
        overlay = draw(image, result.instances, colours)
        path = folder / names.claim(result.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        overlay.save(path, "JPEG", quality=_JPEG_QUALITY)
        counts = Counter(found.category for found in result.instances)
        drawn.append(Overlay(path, result.name, overlay.width, overlay.height, counts))
    return drawn


def _sampled(index: int, total: int, limit: int | None) -> bool:
    if limit is None or total <= limit:
        return True
    return (index + 1) * limit // total > index * limit // total


def _opened(result: ImageResult, open_image: Callable[[str], Image.Image]) -> Image.Image | None:
    try:
        image = _rgb(open_image(result.uri))
    except (MaskpoolError, OSError) as error:
        log.warning("no overlay of %s: %s", result.name, error)
        return None
    if image.size != (result.width, result.height):
        was, now = f"{result.width}×{result.height}", f"{image.width}×{image.height}"
        log.warning("no overlay of %s: it was %s when annotated and is %s", result.name, was, now)
        return None
    return image


def draw(
    image: Image.Image,
    instances: Sequence[LabelledInstance],
    colours: Mapping[str, Rgb] | None = None,
) -> Image.Image:
    """Draw instances over an image.

    Args:
        image: Of the size of the masks; EXIF orientation is applied.
        instances: By category, best first; they may overlap.
        colours: By category, see ``palette``; made from the instances where None.

    Returns:
        RGB, between ``SHORTEST_LONGEST_SIDE`` and ``LONGEST_SIDE`` pixels on its longest side.

    Raises:
        ValueError: The masks are of another size than the image.
    """
    image = _rgb(image)
    if colours is None:
        colours = palette(found.category for found in instances)
    scale = _scale(max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shapes = list(_shapes(image.size, size, instances, colours))
    shapes.sort(key=lambda shape: -shape.area)
    canvas = np.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=np.float32).copy()
    for shape in shapes:
        _paint(canvas, shape, small=max(size) < _SMALL_SIDE)
    drawn = Image.fromarray(canvas.round().astype(np.uint8))
    _label(drawn, shapes)
    return drawn


def _rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bit: Pillow would clip everything above 255 to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("RGB")


def _scale(longest: int) -> float:
    if longest > LONGEST_SIDE:
        return LONGEST_SIDE / longest
    return float(-(-SHORTEST_LONGEST_SIDE // longest))


def _shapes(
    image_size: tuple[int, int],
    drawn_size: tuple[int, int],
    instances: Sequence[LabelledInstance],
    colours: Mapping[str, Rgb],
) -> Iterable[_Shape]:
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
    """``text`` in what Pillow's own font has, which is ASCII: é becomes e, 犬 nothing at all."""
    letters = [c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)]
    plain = "".join(letters)
    return plain if plain.isascii() else ""


def _scaled(runs: rle.Runs, drawn_size: tuple[int, int], colour: Rgb, label: str) -> _Shape:
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
    return _Shape(coverage, left, top, colour, label)


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


def _paint(canvas: _Layer, shape: _Shape, *, small: bool) -> None:
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
    # A dark hairline sets the contour off where the object has the colour of its mask.
    _blend(part, colour * np.float32(0.25), (inside - core) * 0.6)
    _blend(part, colour, (shape.coverage - inside) * 0.95)


def _blend(part: _Layer, colour: _Layer, alpha: _Layer) -> None:
    part += (colour - part) * alpha[..., None]


def _eroded(coverage: _Layer, pixels: int) -> _Layer:
    """The least coverage within ``pixels`` of each pixel, beyond the box there is none."""
    padded = np.pad(coverage, pixels)
    steps = range(2 * pixels + 1)
    height, width = coverage.shape
    rows = np.minimum.reduce([padded[i : i + height] for i in steps])
    least: _Layer = np.minimum.reduce([rows[:, i : i + width] for i in steps])
    return least


def _label(drawn: Image.Image, shapes: Sequence[_Shape]) -> None:
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
    shape: _Shape,
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
