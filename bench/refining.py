"""What finer masks are worth, and what they cost: ours beside OpenCV doing the same.

    python bench/refining.py                                  # the demo's scenes, and times
    python bench/refining.py --photos FOLDER                  # photographs with instances.json
    python bench/refining.py --only quality | --only times | --only viewing

The truth is made rough as a model's map would have it: averaged to 288 × 288 cells, blurred by a
cell, with noise and six wrong spots of 2 × 2 cells, and enlarged bilinearly again; a map of ±1 is
cut at zero. Figures are means over masks of at least 100 pixels: IoU with the truth, and IoU of the
boundaries, which are 2 % of the image's diagonal wide. Times are CPU milliseconds a mask on one
thread, RLE in and RLE out, the best of some rounds, ours and OpenCV's by turns. ``viewing``: 40
masks of one picture of a megapixel, in a child process as the pages have them made, the picture
fetched and checked for ``high``; the first of all starts the child.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from uuid import UUID

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from pycocotools import mask as coco_mask

from bench import machine
from maskpool import rle
from maskpool.fineness import Fineness
from maskpool.settings import Settings
from producer.pictures import Pictures
from producer.refining import Refined, refine
from producer.refining.work import Asked

Mask = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]

#: Cells of a map's side, as SAM3 draws it.
CELLS = 288

_SIZES = {"VGA": (480, 640), "1080p": (1080, 1920), "12 MP": (3000, 4000)}

_LEAST_PIXELS = 100
_SPOTS = 6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, help="folder of images and instances.json")
    parser.add_argument("--only", choices=["quality", "times", "viewing"])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine.name())
    scenes = ROOT / "samples" / "scenes"
    if args.only in (None, "quality"):
        _quality("scenes", scenes, scenes / "ground_truth.json")
        if args.photos:
            _quality("photographs", args.photos, args.photos / "instances.json")
    if args.only in (None, "times"):
        _times(args.rounds)
    if args.only in (None, "viewing"):
        _viewing()


def truths(folder: Path, file: Path) -> Iterator[tuple[Picture, Mask]]:
    """Pictures and masks of a COCO file whose segmentations are RLE."""
    content = json.loads(file.read_bytes())
    names = {one["id"]: one["file_name"] for one in content["images"]}
    for row in content["annotations"]:
        told = row["segmentation"]
        mask = rle.decode(rle.Rle((told["size"][0], told["size"][1]), told["counts"]))
        if not row["iscrowd"] and mask.sum() >= _LEAST_PIXELS:
            with Image.open(folder / names[row["image_id"]]) as image:
                yield np.asarray(image.convert("RGB")), mask


def roughened(mask: Mask, noise: float, seed: int) -> Mask:
    """A mask as a model's map of it, with noise, would give it."""
    random = np.random.default_rng(seed)
    share = cv2.resize(mask.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    cells = cv2.GaussianBlur(2 * share - 1, (0, 0), 1.0)
    if noise:
        cells += noise * random.normal(size=cells.shape).astype(np.float32)
        ys, xs = np.nonzero(share > 0)
        for _ in range(_SPOTS):
            y, x = random.integers(ys.min(), ys.max() + 1), random.integers(xs.min(), xs.max() + 1)
            cells[y : y + 2, x : x + 2] *= -1
    return np.asarray(cv2.resize(cells, mask.shape[::-1]) > 0)


def iou(one: Mask, other: Mask) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def boundary(mask: Mask) -> Mask:
    """The mask's pixels near its outline; the image's edge is outline, as Boundary IoU has it."""
    width = max(1, round(0.02 * float(np.hypot(*mask.shape))))
    inner = cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((3, 3)), iterations=width)
    return mask & (inner[1:-1, 1:-1] == 0)


def _quality(what: str, folder: Path, file: Path) -> None:
    for noise in (0.0, 0.1, 0.25):
        found: dict[Fineness, list[tuple[float, float]]] = {level: [] for level in Fineness}
        short = dict.fromkeys(Fineness, 0)
        for place, (picture, truth) in enumerate(truths(folder, file)):
            cell = (truth.shape[0] / CELLS, truth.shape[1] / CELLS)
            rough, edge = rle.encode(roughened(truth, noise, place)), boundary(truth)
            for level in Fineness:
                made = refine(rough, level, cell, picture)
                mask = rle.decode(made.mask)
                found[level].append((iou(mask, truth), iou(boundary(mask), edge)))
                short[level] += made.taken is not level
        print(f"\n{what}, noise {noise}, {len(found[Fineness.NONE])} masks")
        for level, each in found.items():
            whole, edges = np.mean(each, axis=0)
            print(f"  {level:7} IoU {whole:.4f}  boundary {edges:.4f}  not taken {short[level]}")


def _blob(size: tuple[int, int], share: float, seed: int) -> Mask:
    """A round thing of a ragged outline that takes a share of the image, as a map has it."""
    noise = np.random.default_rng(seed).normal(size=(CELLS, CELLS)).astype(np.float32)
    wide = cv2.GaussianBlur(noise, (0, 0), 12)
    y, x = np.mgrid[:CELLS, :CELLS] / CELLS - 0.5
    cells = (np.sqrt(share / np.pi) - np.hypot(y, x)) * 30 + wide / wide.std()
    cells += 0.25 * noise * (np.abs(cells) < 2)
    return np.asarray(cv2.resize(cells.astype(np.float32), size[::-1]) > 0)


def _times(rounds: int) -> None:
    print(f"\n{'CPU ms a mask':28}{'ours':>8}{'OpenCV, box':>14}{'OpenCV, image':>15}{'same':>8}")
    for name, size in _SIZES.items():
        cell = (size[0] / CELLS, size[1] / CELLS)
        random = np.random.default_rng(1)
        picture = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        for share in (0.02, 0.12):
            masks = [rle.encode(_blob(size, share, seed)) for seed in range(4)]
            for level in (Fineness.LOW, Fineness.MEDIUM, Fineness.HIGH):
                ours, box, whole = _fastest(masks, level, cell, picture, rounds)
                label = f"{name}, {share:.0%} of it, {level}"
                if level is Fineness.HIGH:
                    print(f"{label:28}{ours:8.1f}")
                    continue
                same = np.mean([_agreement(mask, level, cell) for mask in masks])
                print(f"{label:28}{ours:8.1f}{box:14.1f}{whole:15.1f}{same:8.4f}")


def _viewing() -> None:
    size, count = (1000, 1000), 40
    random = np.random.default_rng(1)
    picture = cv2.GaussianBlur(random.integers(0, 256, (*size, 3), dtype=np.uint8), (0, 0), 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        Image.fromarray(picture).save(path, quality=92)
        settings = Settings(
            store_url=Path(folder, "store").as_uri(),
            source_roots=(Path(folder),),
        )
        pictures = Pictures(settings)
        for share in (0.02, 0.12):
            places = [tuple(random.integers(-300, 300, 2)) for _ in range(count)]
            masks = [
                rle.encode(np.roll(_blob(size, share, seed), place, (0, 1)))
                for seed, place in enumerate(places)
            ]
            cells = [(size[0] / CELLS, size[1] / CELLS)] * count
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            for level in ("low", "low", "medium", "high"):
                asked = Asked(masks, Fineness(level), cells, path.as_uri(), UUID(int=1), digest)
                began = time.perf_counter()
                answer = pictures.refine(asked, granted=None)
                wall = time.perf_counter() - began
                assert not answer.unseen, answer.unseen
                print(
                    f"{count} masks of {share:.0%} of 1 MP, {level:7} wall {wall:.2f} s, CPU "
                    f"{answer.seconds:.2f} s"
                )
        pictures.close()


def _fastest(
    masks: list[rle.Rle],
    level: Fineness,
    cell: tuple[float, float],
    picture: Picture,
    rounds: int,
) -> tuple[float, float, float]:
    seen = picture if level is Fineness.HIGH else None

    def ours(mask: rle.Rle) -> Refined:
        return refine(mask, level, cell, seen)

    def box(mask: rle.Rle) -> bytes:
        return with_opencv(mask, level, cell, crop=True)

    def whole(mask: rle.Rle) -> bytes:
        return with_opencv(mask, level, cell, crop=False)

    ways: list[Callable[[rle.Rle], object]] = [ours] if seen is not None else [ours, box, whole]
    best = [float("inf")] * 3
    for _ in range(rounds):
        for place, way in enumerate(ways):
            began = time.process_time()
            for mask in masks:
                way(mask)
            best[place] = min(best[place], (time.process_time() - began) * 1000 / len(masks))
    return best[0], best[1], best[2]


def _agreement(mask: rle.Rle, level: Fineness, cell: tuple[float, float]) -> float:
    theirs = rle.Rle(mask.size, with_opencv(mask, level, cell, crop=True).decode())
    return rle.iou(rle.to_runs(theirs), rle.to_runs(refine(mask, level, cell).mask))


def with_opencv(mask: rle.Rle, level: Fineness, cell: tuple[float, float], *, crop: bool) -> bytes:
    """The same, plainly with OpenCV and pycocotools, on the padded box or on the whole image."""
    told = {"size": list(mask.size), "counts": mask.counts}
    image = coco_mask.decode(told)
    sigma = (cell[0] / 2, cell[1] / 2)
    if not crop:
        return _encoded(_filtered(image, level, sigma))
    x, y, width, height = (int(one) for one in coco_mask.toBbox(told))
    pad = int(np.ceil(3 * max(sigma))) + 1
    rows = slice(max(0, y - pad), y + height + pad)
    columns = slice(max(0, x - pad), x + width + pad)
    out = np.zeros_like(image)
    out[rows, columns] = _filtered(np.ascontiguousarray(image[rows, columns]), level, sigma)
    return _encoded(out)


def _encoded(image: npt.NDArray[np.uint8]) -> bytes:
    return bytes(coco_mask.encode(np.asfortranarray(image))["counts"])


def _filtered(
    image: npt.NDArray[np.uint8], level: Fineness, sigma: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    least = max(16, 0.005 * int(image.sum()))
    holes = cv2.copyMakeBorder(1 - image, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, names, stats, _ = cv2.connectedComponentsWithStats(holes, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < least
    small[[0, names[0, 0]]] = False
    image = image | small[names][1:-1, 1:-1]
    count, names, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    if count > 1:
        kept = stats[:, cv2.CC_STAT_AREA] >= least
        kept[1 + stats[1:, cv2.CC_STAT_AREA].argmax()] = True
        kept[0] = False
        image = kept[names].astype(np.uint8)
    if level is Fineness.LOW:
        return image
    soft = cv2.GaussianBlur(
        image.astype(np.float32),
        (0, 0),
        sigmaX=sigma[1],
        sigmaY=sigma[0],
        borderType=cv2.BORDER_REPLICATE,
    )
    return (soft > 0.5).astype(np.uint8)


if __name__ == "__main__":
    main()
