"""Images that say what is to be found in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from maskpool.ports import Image

#: Different images; job ``seq`` of a batch is image ``seq % KINDS``.
KINDS = 32

WIDTH, HEIGHT = 48, 8

#: Of an image that is looked at in tiles, too, and the side of a tile; it is cut into three.
WIDE_WIDTH, WIDE_HEIGHT, TILE = 160, 64, 64

#: Of every mask that a text finds.
SCORE = 0.875

#: An image that asks for more memory than there is, and its number.
GLUTTON, GLUTTON_NAME = 200, "glutton.png"


def draw(folder: Path) -> None:
    """Write the images, and one that is poison."""
    folder.mkdir()
    for number in range(KINDS):
        Pillow.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(folder / f"scene_{number:02d}.png")
        Pillow.fromarray(_wide(number)).save(folder / f"wide_{number:02d}.png")
    Pillow.new("RGB", (WIDTH, HEIGHT), (0, 0, 0)).save(folder / "poison.png")


def _wide(number: int) -> npt.NDArray[np.uint8]:
    """A wide image, whose every pixel says in which column it lies, so that a tile says it, too."""
    pixels = np.zeros((WIDE_HEIGHT, WIDE_WIDTH, 3), np.uint8)
    pixels[..., 0] = number
    pixels[..., 1] = np.arange(WIDE_WIDTH)
    pixels[..., 2] = 1
    return pixels


def draw_glutton(folder: Path) -> None:
    """Write the image that asks for too much."""
    Pillow.new("RGB", (WIDTH, HEIGHT), (GLUTTON, 0, 0)).save(folder / GLUTTON_NAME)


def number_in(image: Image) -> int:
    """Which image this is."""
    return int(image[0, 0, 0])


#: A mask, (height, width), and its box, xyxy in pixels.
Boxed = tuple[npt.NDArray[np.bool_], tuple[float, float, float, float]]


def expected_mask(number: int, *, wide: bool = False) -> Boxed:
    """The mask to be found in an image; in many a wide one it crosses seams of tiles."""
    mask = np.zeros((WIDE_HEIGHT, WIDE_WIDTH) if wide else (HEIGHT, WIDTH), np.bool_)
    right = 3 + number * (4 if wide else 1)
    mask[1:4, 2:right] = True
    return mask, (2.0, 1.0, float(right), 4.0)


def expected_region(number: int, *, wide: bool = False) -> Boxed:
    """The one region of an image, below its mask and larger."""
    mask = np.zeros((WIDE_HEIGHT, WIDE_WIDTH) if wide else (HEIGHT, WIDTH), np.bool_)
    right = 3 + number * (4 if wide else 1)
    mask[4:8, :right] = True
    return mask, (0.0, 4.0, float(right), 8.0)


def shown(image: Image, *, region: bool) -> Boxed | None:
    """The mask or region as an image, or a tile of a wide one, shows it; None: it shows nothing."""
    is_wide = bool(image[0, 0, 2])
    whole, box = (expected_region if region else expected_mask)(number_in(image), wide=is_wide)
    if not is_wide:
        return whole, box
    left = int(image[0, 0, 1])
    mask = whole[:, left : left + image.shape[1]]
    if not mask.any():
        return None
    _, columns = np.nonzero(mask)
    return mask, (float(columns.min()), box[1], float(columns.max()) + 1.0, box[3])


def asks(seq: int) -> dict[str, Any] | None:
    """What job ``seq`` is asked beside texts: a box, clicks, both and a box outside, or nothing."""
    box = {"class": "boxed", "box": [1, 1, 3 + seq % 7, 5], "score": 0.75}
    clicks = {"class": "clicked", "points": [[seq % WIDTH, 3, 1], [0, 7, 0]]}
    outside = {"class": "boxed", "box": [WIDTH, 0, WIDTH + 4, 4]}
    objects = [[], [box], [clicks], [clicks, outside, box], [], []][seq % 6]
    return {"objects": objects} if objects else None


def manifest_line(seq: int, image: str, *, wide: bool = False) -> str:
    """Job ``seq`` of a manifest, with what it is asked; tiles serve texts alone."""
    line = {"uri": image, "name": f"{seq:05d}.png"}
    return json.dumps(line if wide else {**line, "prompts": asks(seq)})


#: Place in the batch's categories, place among the image's objects, pixels, strength of a negative.
Mask = tuple[int, int | None, int, float | None]


def expected_masks(seq: int, *, wide: bool = False) -> list[Mask]:
    """What job ``seq`` must end with, in order: a text's, a region, then one for each object."""
    text = (0, None, int(expected_mask(seq % KINDS, wide=wide)[0].sum()), SCORE)
    region = (1, None, int(expected_region(seq % KINDS, wide=wide)[0].sum()), None)
    if wide:
        return [text, region]
    box, clicks, outside = (2, 4 * (2 + seq % 7)), (3, 1), (2, 0)
    drawn = [[], [box], [clicks], [clicks, outside, box], [], []][seq % 6]
    return [text, region, *((of, index, area, None) for index, (of, area) in enumerate(drawn))]
