"""What finer masks are worth on a result whose truth is known: one figure, and one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from maskpool import rle
from maskpool.fineness import Fineness
from maskpool.ports import Image as Picture
from maskpool.rle import Runs
from maskpool.settings import Settings
from producer.formats.coco.read import CocoFile, CocoMask, read_coco
from producer.refining import refine
from producer.scoring.boundary import boundary, boundary_iou
from storage.images.decode import decode

#: Least IoU with the truth of a mask that is looked at.
_LEAST_IOU = 0.5

#: Pixels of a half of the picture, and shown around the mask.
_SIDE, _AROUND = 420, 8

_COLOUR = (255, 0, 170)


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Means over all masks that lie on the truth.

    Attributes:
        masks: How many.
        before: Boundary IoU as they are stored.
        after: As they are finer.
        picture: The mask that gained most: on the left as stored, on the right finer.
    """

    masks: int
    before: float
    after: float
    picture: Path


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    found: Runs
    finer: Runs
    before: float
    after: float


def before_after(
    found: Path,
    truth: Path,
    pictures: Path,
    picture: Path,
    *,
    cells: int,
    settings: Settings,
) -> BeforeAfter | None:
    """Make the masks of a COCO file finer by their pictures, and compare both with the truth.

    Args:
        found: COCO file of what was found.
        truth: COCO file of what is there.
        pictures: Folder of the images.
        picture: A JPEG to write.
        cells: Side of the model's maps.
        settings: Their limits of images are kept.

    Returns:
        None where no mask lies on the truth.
    """
    pairs = list(_pairs(read_coco(found), read_coco(truth), pictures, cells, settings))
    if not pairs:
        return None
    before, after = (
        float(np.mean(list(some)))
        for some in ((one.before for one in pairs), (one.after for one in pairs))
    )
    best = max(pairs, key=lambda one: one.after - one.before)
    _draw(best, _opened(pictures / best.name, settings)).save(picture, quality=92)
    return BeforeAfter(len(pairs), before, after, picture)


def _pairs(
    found: CocoFile, truth: CocoFile, pictures: Path, cells: int, settings: Settings
) -> Iterator[_Pair]:
    opened: dict[str, Picture] = {}
    for (name, category), masks in found.masks.items():
        right = truth.masks.get((name, category), [])
        for mask in masks:
            true = _nearest(mask, right)
            if true is None:
                continue
            # The pictures of a name follow each other.
            if name not in opened:
                opened = {name: _opened(pictures / name, settings)}
            height, width = found.sizes[name]
            stored = rle.from_runs(mask.runs)
            made = refine(stored, Fineness.HIGH, (height / cells, width / cells), opened[name])
            finer = rle.to_runs(made.mask)
            ious = boundary_iou(mask.runs, true.runs), boundary_iou(finer, true.runs)
            yield _Pair(name, mask.runs, finer, *ious)


def _nearest(mask: CocoMask, right: list[CocoMask]) -> CocoMask | None:
    found = max(right, key=lambda one: rle.iou(mask.runs, one.runs), default=None)
    near = found is not None and rle.iou(mask.runs, found.runs) >= _LEAST_IOU
    return found if near else None


def _opened(path: Path, settings: Settings) -> Picture:
    return decode(path.read_bytes(), settings)


def _draw(pair: _Pair, picture: Picture) -> Image.Image:
    """Both outlines around one mask, side by side."""
    masks = [rle.decode(rle.from_runs(one)) for one in (pair.found, pair.finer)]
    rows, columns = np.nonzero(masks[0] | masks[1])
    top, left = (max(0, int(some.min()) - _AROUND) for some in (rows, columns))
    bottom, right = (int(some.max()) + _AROUND + 1 for some in (rows, columns))
    part = picture[top:bottom, left:right]
    scale = max(1, _SIDE // max(part.shape[:2]))
    sheet = Image.new("RGB", (2 * part.shape[1] * scale + 8, part.shape[0] * scale), "white")
    for place, mask in enumerate(masks):
        large = np.repeat(np.repeat(part, scale, 0), scale, 1)
        cut = mask[top:bottom, left:right]
        inside = np.repeat(np.repeat(cut, scale, 0), scale, 1)
        large[boundary(inside, 2)] = _COLOUR
        sheet.paste(Image.fromarray(large), (place * (large.shape[1] + 8), 0))
    return sheet
