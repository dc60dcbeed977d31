"""Crops of single objects, which CLIP learns from and is measured on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.processes import run_all
from training.scene_pool import squash
from training.scenes import Scene, draw_scene
from training.vocabulary import COLOURS, SHAPES
from workers.models.clip.scorer import crop_for_clip

Rng = np.random.Generator

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class CropPool:
    """Crops of objects; `C` crops."""

    #: uint8 `(C, 3, side, side)`, RGB.
    images: npt.NDArray[np.uint8]
    #: int64 `(C, 2)`, index in `SHAPES`, index in `COLOURS`.
    kinds: npt.NDArray[np.int64]


def build_crops(
    folder: Path, first_seed: int, scenes: int, side: int, processes: int = 2
) -> CropPool:
    """Draws scenes in parallel, cuts every object out twice and keeps the crops as `.npy` files.

    Args:
        folder: Where the files go; complete files of an earlier run are used again.
        first_seed: Seed of the first scene.
        scenes: Number of scenes.
        side: Side of the model's input in pixels.
        processes: How many processes draw.

    Returns:
        The crops.
    """
    paths = [
        folder / f"crops-{first_seed}-{scenes}-{side}-{name}.npy" for name in ("images", "kinds")
    ]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [
            (first_seed + start, min(_CHUNK, scenes - start), side)
            for start in range(0, scenes, _CHUNK)
        ]
        parts = run_all(_cut_chunk, jobs, processes)
        for path, arrays in zip(paths, zip(*parts, strict=True), strict=True):
            partial = path.with_suffix(".partial.npy")
            np.save(partial, np.concatenate(arrays))
            partial.rename(path)
    return CropPool(*(np.load(path) for path in paths))


def _cut_chunk(job: tuple[int, int, int]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Draws and cuts (first seed, scenes, side)."""
    first, count, side = job
    images, kinds = [], []
    for seed in range(first, first + count):
        rng = np.random.default_rng([11, seed])
        scene = draw_scene(seed)
        for crop, kind in _vary(scene, rng):
            images.append(squash(crop, side).numpy())
            kinds.append(kind)
    return np.stack(images), np.array(kinds, np.int64)


def _vary(scene: Scene, rng: Rng) -> list[tuple[npt.NDArray[np.uint8], tuple[int, int]]]:
    """Cuts each object out twice, context 0-35 %, boxes a little off, as predicted ones are."""
    crops = []
    for item in scene.objects:
        left, top, right, bottom = item.box_xyxy
        sides = np.array([right - left, bottom - top] * 2)
        for _ in range(2):
            shaken = np.array(item.box_xyxy) + rng.normal(0, 0.03, 4) * sides
            box = (float(shaken[0]), float(shaken[1]), float(shaken[2]), float(shaken[3]))
            crop = crop_for_clip(scene.image, box, float(rng.uniform(0, 0.35)))
            crops.append((crop, (SHAPES.index(item.shape), COLOURS.index(item.colour))))
    return crops
