"""Images that say what is to be found in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from maskpool.ports import Image

#: Different images; job ``seq`` of a batch is image ``seq % KINDS``.
KINDS = 32

WIDTH, HEIGHT = 48, 8

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


def expected_mask(
    number: int,
) -> tuple[npt.NDArray[np.bool_], tuple[float, float, float, float]]:
    """The mask to be found in an image, (height, width), and its box, xyxy in pixels."""
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[1:4, 2 : 3 + number] = True
    return mask, (2.0, 1.0, float(3 + number), 4.0)


def expected_area(seq: int) -> int:
    """Pixels of the mask that job ``seq`` must end with."""
    return int(expected_mask(seq % KINDS)[0].sum())
