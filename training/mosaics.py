"""Large pictures put together from drawn scenes, with the truth of every object in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from maskpool.ports import Image
from maskpool.rle import Runs, encode, to_runs
from maskpool.tiling.placing import placed
from maskpool.tiling.plan import Tile
from training.scenes import HELD_OUT_SEED, draw_scene

#: Pixels of a scene's side in a mosaic: what a tile of the demo model shows.
CELL = 320


@dataclass(frozen=True)
class Truth:
    """One object.

    Attributes:
        prompt: Its place among the prompts.
        runs: Of the whole mosaic.
    """

    prompt: int
    runs: Runs


@dataclass(frozen=True)
class Mosaic:
    """A picture, the scenes that it is made of, and what they show.

    Attributes:
        image: RGB uint8 (height, width, 3).
        cells: Where each scene lies.
        truths: All objects of the prompts.
    """

    image: Image
    cells: Sequence[Tile]
    truths: Sequence[Truth]


def mosaic(
    columns: int, rows: int, prompts: Sequence[str], *, cell: int = CELL, seed: int = HELD_OUT_SEED
) -> Mosaic:
    """Scenes beside each other, each squeezed to a square as the model would squeeze it.

    Args:
        columns: Scenes in a row.
        rows: Rows of scenes.
        prompts: A colour and a shape each, or a shape.
        cell: Side of a scene, pixels.
        seed: Of the first scene.
    """
    size = (rows * cell, columns * cell)
    image = np.empty((*size, 3), np.uint8)
    cells: list[Tile] = []
    truths: list[Truth] = []
    for number in range(rows * columns):
        top, left = cell * (number // columns), cell * (number % columns)
        place = Tile(left, top, left + cell, top + cell)
        scene = draw_scene(seed + number)
        picture = Pillow.fromarray(scene.image).resize((cell, cell), Pillow.Resampling.LANCZOS)
        image[top : top + cell, left : left + cell] = np.asarray(picture)
        cells.append(place)
        for one in scene.objects:
            small = Pillow.fromarray(one.mask).resize((cell, cell), Pillow.Resampling.NEAREST)
            runs = placed(to_runs(encode(np.asarray(small))), place, size)
            named = (f"{one.colour} {one.shape}", one.shape)
            truths += [Truth(i, runs) for i, text in enumerate(prompts) if text in named]
    return Mosaic(image, cells, truths)
