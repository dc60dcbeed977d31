"""Drawing masks over images: a translucent fill, a crisp contour, a label where one fits.

Every mask is worked on in its own box only. Large masks are painted before small ones, so that none
hides another; instances of one category are shades of the category's colour.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageOps

from maskpool.errors import MaskpoolError
from producer.report.colours import Rgb, palette
from producer.report.labels import write_labels
from producer.report.safe_names import SafeNames
from producer.report.shapes import paint, shapes_of
from producer.results.records import ImageResult, LabelledInstance

log = logging.getLogger(__name__)

#: Larger images are drawn at this size, longest side: an overlay is for eyes on a screen.
LONGEST_SIDE = 1600

#: Smaller images are enlarged by a whole factor to at least this, so that labels can be read.
MIN_LONGEST_SIDE = 480

_JPEG_QUALITY = 85

#: Below this longest side fills are lighter and contours one pixel wide.
_SMALL_SIDE = 640


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


def save_overlays(
    images: Iterable[ImageResult],
    open_image: Callable[[str], Image.Image],
    folder: Path,
    *,
    total: int,
    categories: Sequence[str],
    chosen: Mapping[str, str] = MappingProxyType({}),
    limit: int | None = 200,
) -> list[Overlay]:
    """Draw images into ``folder`` as JPEG, under their names, subfolders included.

    Args:
        images: Streamed; only those that are drawn are opened.
        open_image: From an image's ``uri`` to the image.
        folder: Made where it is missing.
        total: How many ``images`` there are, to spread a sample evenly over them.
        categories: All of the batch, so that every image uses the same colours.
        chosen: Colours that people chose, by category, as ``#rrggbb``.
        limit: Most overlays; None draws every image.

    Returns:
        What was drawn, in the order of ``images``. An image that cannot be opened any more, or is
        no longer of the size that was annotated, is logged and left out.
    """
    colours = palette(categories, chosen)
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
        # As in the dataset: of an empty mask there is nothing to see.
        counts = Counter(found.category for found in result.instances if found.instance.area)
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
        RGB, between ``MIN_LONGEST_SIDE`` and ``LONGEST_SIDE`` pixels on its longest side.

    Raises:
        ValueError: The masks are of another size than the image.
    """
    image = _rgb(image)
    if colours is None:
        colours = palette(found.category for found in instances)
    scale = _scale(max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shapes = list(shapes_of(image.size, size, instances, colours))
    shapes.sort(key=lambda shape: -shape.area)
    canvas = np.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=np.float32).copy()
    for shape in shapes:
        paint(canvas, shape, small=max(size) < _SMALL_SIDE)
    drawn = Image.fromarray(canvas.round().astype(np.uint8))
    write_labels(drawn, shapes)
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
    return float(-(-MIN_LONGEST_SIDE // longest))
