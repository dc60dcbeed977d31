"""Training data in memory: drawn scenes at the model's resolution."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody reads it by)

from training.processes import run_all
from training.scenes import MAX_OBJECTS, Scene, draw_scene
from training.vocabulary import COLOURS, SHAPES

Rng = np.random.Generator

_CHUNK = 250


@dataclass(frozen=True, slots=True)
class ScenePool:
    """Drawn scenes in the form in which training reads them; arrays may be memory-mapped.

    `O` is `MAX_OBJECTS`; unused object rows have shape and colour -1.
    """

    #: uint8 `(scenes, 3, side, side)`, RGB, squashed to the model's square.
    images: npt.NDArray[np.uint8]
    #: uint8 `(scenes, O, grid, grid)`, share of each mask cell covered by the visible part, 0-255.
    masks: npt.NDArray[np.uint8]
    #: float32 `(scenes, O, 4)`, visible bounds as normalised xyxy.
    boxes: npt.NDArray[np.float32]
    #: int64 `(scenes, O, 2)`, index in `SHAPES`, index in `COLOURS`.
    kinds: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Returns the number of scenes."""
        return len(self.images)


def squash(image: npt.NDArray[np.uint8], side: int) -> torch.Tensor:
    """Resizes as serving does: antialiased bilinear to a square, whatever the aspect.

    Args:
        image: uint8 `(height, width, 3)`, RGB.
        side: Side of the square in pixels.

    Returns:
        uint8 `(3, side, side)`.
    """
    chw = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return F.interpolate(
        chw[None], (side, side), mode="bilinear", align_corners=False, antialias=True
    )[0]


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Maps uint8 0-255 to float32 -1 to 1, as Sam3's published preprocessing does."""
    return images.float().sub_(127.5).div_(127.5)


def build_pool(
    folder: Path, first_seed: int, count: int, *, side: int, grid: int, processes: int = 2
) -> ScenePool:
    """Draws scenes in parallel, keeps them as `.npy` files and maps them into memory.

    Args:
        folder: Where the files go; complete files of an earlier run are used again.
        first_seed: Seed of the first scene.
        count: Number of scenes.
        side: Side of the model's input in pixels.
        grid: Side of its mask output in cells.
        processes: How many processes draw.

    Returns:
        The pool.
    """
    stem = f"scenes-{first_seed}-{count}-{side}-{grid}"
    names = ("images", "masks", "boxes", "kinds")
    paths = [folder / f"{stem}-{name}.npy" for name in names]
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        jobs = [
            (first_seed + start, min(_CHUNK, count - start), side, grid)
            for start in range(0, count, _CHUNK)
        ]
        parts = run_all(_draw_chunk, jobs, processes)
        for path, arrays in zip(paths, zip(*parts, strict=True), strict=True):
            partial = path.with_suffix(".partial.npy")
            np.save(partial, np.concatenate(arrays))
            partial.rename(path)
    return ScenePool(*(np.load(path, mmap_mode="r") for path in paths))


def _draw_chunk(job: tuple[int, int, int, int]) -> tuple[npt.NDArray[np.generic], ...]:
    """Draws (first seed, count, side, grid) into the four arrays of a pool."""
    first, count, side, grid = job
    rows = [pool_row(draw_scene(seed), side, grid) for seed in range(first, first + count)]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def pool_row(scene: Scene, side: int, grid: int) -> tuple[npt.NDArray[np.generic], ...]:
    """Returns one scene as the rows (image, masks, boxes, kinds) of a `ScenePool`."""
    height, width, _ = scene.image.shape
    masks = np.zeros((MAX_OBJECTS, grid, grid), np.uint8)
    boxes = np.zeros((MAX_OBJECTS, 4), np.float32)
    kinds = np.full((MAX_OBJECTS, 2), -1, np.int64)
    for index, item in enumerate(scene.objects):
        soft = F.interpolate(
            torch.from_numpy(item.mask)[None, None].float(), (grid, grid), mode="area"
        )
        masks[index] = (soft[0, 0] * 255).round().byte().numpy()
        boxes[index] = np.array(item.box_xyxy, np.float32) / (width, height, width, height)
        kinds[index] = SHAPES.index(item.shape), COLOURS.index(item.colour)
    return squash(scene.image, side).numpy(), masks, boxes, kinds


@dataclass(frozen=True, slots=True)
class SceneBatch:
    """A few scenes as tensors, after augmentation. `B` scenes, `O` object rows."""

    #: float32 `(B, 3, side, side)`, -1 to 1.
    pixels: torch.Tensor
    #: float32 `(B, O, grid, grid)`, 0-1.
    masks: torch.Tensor
    #: float32 `(B, O, 4)`, normalised cxcywh.
    boxes: torch.Tensor
    #: int64 `(B, O, 2)`, -1 where there is no object.
    kinds: torch.Tensor


def take(
    pool: ScenePool, rows: npt.NDArray[np.int64], rng: Rng, device: torch.device
) -> SceneBatch:
    """Reads scenes from the pool, turned, flipped and a little brightened or dimmed at random.

    Args:
        pool: Where to read.
        rows: int64 `(B,)`, which scenes.
        rng: Source of randomness.
        device: Where the tensors go.

    Returns:
        The batch.
    """
    rows = np.sort(rows)
    pixels = normalise(torch.from_numpy(pool.images[rows]).to(device))
    masks = torch.from_numpy(pool.masks[rows]).to(device).float().div_(255)
    boxes = torch.from_numpy(pool.boxes[rows]).to(device)
    if rng.random() < 0.5:
        pixels, masks = pixels.flip(-1), masks.flip(-1)
        boxes = torch.stack(
            [1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], -1
        )
    if rng.random() < 0.5:
        pixels, masks = pixels.flip(-2), masks.flip(-2)
        boxes = torch.stack(
            [boxes[..., 0], 1 - boxes[..., 3], boxes[..., 2], 1 - boxes[..., 1]], -1
        )
    if rng.random() < 0.5:
        pixels, masks, boxes = (
            pixels.transpose(-1, -2),
            masks.transpose(-1, -2),
            boxes[..., [1, 0, 3, 2]],
        )
    gain = torch.from_numpy(rng.uniform(0.93, 1.05, (len(rows), 1, 1, 1)).astype(np.float32)).to(
        device
    )
    pixels = ((pixels + 1) * gain - 1).clamp(max=1)
    low, high = boxes[..., :2], boxes[..., 2:]
    kinds = torch.from_numpy(pool.kinds[rows]).to(device)
    return SceneBatch(
        pixels.contiguous(), masks, torch.cat([(low + high) / 2, high - low], -1), kinds
    )
