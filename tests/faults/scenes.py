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

#: Of every mask that a text finds.
SCORE = 0.875

#: An image that asks for more memory than there is, and its number.
GLUTTON, GLUTTON_NAME = 200, "glutton.png"


def draw(folder: Path) -> None:
    """Write the images, and one that is poison."""
    folder.mkdir()
    for number in range(KINDS):
        Pillow.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(folder / f"scene_{number:02d}.png")
    Pillow.new("RGB", (WIDTH, HEIGHT), (0, 0, 0)).save(folder / "poison.png")


def draw_glutton(folder: Path) -> None:
    """Write the image that asks for too much."""
    Pillow.new("RGB", (WIDTH, HEIGHT), (GLUTTON, 0, 0)).save(folder / GLUTTON_NAME)


def number_in(image: Image) -> int:
    """Which image this is."""
    return int(image[0, 0, 0])


#: A mask, (height, width), and its box, xyxy in pixels.
Boxed = tuple[npt.NDArray[np.bool_], tuple[float, float, float, float]]


def expected_mask(number: int) -> Boxed:
    """The mask to be found in an image."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[1:4, 2 : 3 + number] = True
    return mask, (2.0, 1.0, float(3 + number), 4.0)


def expected_region(number: int) -> Boxed:
    """The one region of an image, below its mask and larger."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[4:8, : 3 + number] = True
    return mask, (0.0, 4.0, float(3 + number), 8.0)


def asks(seq: int) -> dict[str, Any] | None:
    """What job ``seq`` is asked beside texts: a box, clicks, both and a box outside, or nothing."""
    box = {"class": "boxed", "box": [1, 1, 3 + seq % 7, 5], "score": 0.75}
    clicks = {"class": "clicked", "points": [[seq % WIDTH, 3, 1], [0, 7, 0]]}
    outside = {"class": "boxed", "box": [WIDTH, 0, WIDTH + 4, 4]}
    objects = [[], [box], [clicks], [clicks, outside, box], [], []][seq % 6]
    return {"objects": objects} if objects else None


def manifest_line(seq: int, image: str) -> str:
    """Job ``seq`` of a manifest, with what it is asked."""
    return json.dumps({"uri": image, "name": f"{seq:05d}.png", "prompts": asks(seq)})


#: Place in the batch's categories, place among the image's objects, pixels, strength of a negative.
Mask = tuple[int, int | None, int, float | None]


def expected_masks(seq: int) -> list[Mask]:
    """What job ``seq`` must end with, in order: a text's, a region, then one for each object."""
    text = (0, None, int(expected_mask(seq % KINDS)[0].sum()), SCORE)
    region = (1, None, int(expected_region(seq % KINDS)[0].sum()), None)
    box, clicks, outside = (2, 4 * (2 + seq % 7)), (3, 1), (2, 0)
    drawn = [[], [box], [clicks], [clicks, outside, box], [], []][seq % 6]
    return [text, region, *((of, index, area, None) for index, (of, area) in enumerate(drawn))]
