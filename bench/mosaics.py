"""Large pictures put together from drawn scenes, with the truth of every object in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from maskpool.ports import Image
from maskpool.rle import Runs, box_xyxy, encode, iou, to_runs
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
        image[top : top + cell, left : left + cell] = picture
        cells.append(place)
        for one in scene.objects:
            small = Pillow.fromarray(one.mask).resize((cell, cell), Pillow.Resampling.NEAREST)
            runs = placed(to_runs(encode(np.asarray(small))), place, size)
            named = (f"{one.colour} {one.shape}", one.shape)
            truths += [Truth(i, runs) for i, text in enumerate(prompts) if text in named]
    return Mosaic(image, cells, truths)


@dataclass(frozen=True)
class Score:
    """How found masks compare with the truth, one to one at IoU 0.5."""

    right: int
    found: int
    truths: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(1, self.found + self.truths)

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        """Share of the truth that was found."""
        return self.right / max(1, self.truths)

    def __str__(self) -> str:
        return (
            f"F1 {self.f1:.3f}, precision {self.precision:.3f}, recall {self.recall:.3f} "
            f"({self.right:,} right of {self.found:,} found, {self.truths:,} true)"
        )


def score(found: Sequence[tuple[int, float, Runs]], truths: Sequence[Truth]) -> Score:
    """Match what was found with the truth.

    Args:
        found: Prompt, score and mask of each; best first, each truth is matched once.
        truths: All objects.
    """
    right = 0
    free = list(truths)
    boxes = {id(one): _box(one.runs) for one in truths}
    for prompt, _, runs in sorted(found, key=lambda one: -one[1]):
        box = _box(runs)
        best = max(
            ((iou(runs, one.runs), one) for one in _near(free, prompt, box, boxes)),
            key=lambda pair: pair[0],
            default=None,
        )
        if best is not None and best[0] >= 0.5:
            right += 1
            free = [one for one in free if one is not best[1]]
    return Score(right, len(found), len(truths))


def _near(free: Sequence[Truth], prompt: int, box: Tile, boxes: dict[int, Tile]) -> Iterator[Truth]:
    for one in free:
        if one.prompt == prompt and boxes[id(one)].shared(box) is not None:
            yield one


def _box(runs: Runs) -> Tile:
    return Tile(*box_xyxy(runs))
