"""From a head's output to masks: the published rules, at the cost of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from maskpool import rle
from maskpool.domain import MAX_INSTANCES_PER_PROMPT, SCORE_FLOOR, Found

#: A pixel belongs to the mask where its probability is above this (``mask_threshold``).
_MASK_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the head's output: which image, which prompt, and how large the image is."""

    image_index: int
    prompt_index: int
    #: ``(height, width)`` of the image, pixels.
    size: tuple[int, int]


def scores_of(logits: torch.Tensor, presence: torch.Tensor) -> npt.NDArray[np.float32]:
    """Class probability × presence.

    Args:
        logits: (rows, queries).
        presence: Logits (rows, 1).

    Returns:
        float32 (rows, queries) in [0, 1], on the host.
    """
    scores: npt.NDArray[np.float32] = (
        (logits.float().sigmoid() * presence.float().sigmoid()).cpu().numpy()
    )
    return scores


def kept_queries(scores: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Row and query of what is worth a mask: most queries score nothing.

    Args:
        scores: float32 (rows, queries).

    Returns:
        By row, and there by falling score.
    """
    return [(row, query) for row in range(len(scores)) for query in _best(scores[row])]


def found_in_rows(
    pairs: Sequence[Pair],
    scores: npt.NDArray[np.float32],
    kept: Sequence[tuple[int, int]],
    mask_logits: torch.Tensor,
) -> list[list[Found]]:
    """Read the instances out of the masks of one pass of the head.

    Args:
        pairs: What each row is about.
        scores: float32 (rows, queries).
        kept: Row and query of each mask.
        mask_logits: (kept, h, w), any float type.

    Returns:
        One list a row, in the order of ``kept``; empty masks are dropped.
    """
    found: list[list[Found]] = [[] for _ in pairs]
    # (kept, w, h): column-major, as RLE walks a mask.
    maps = mask_logits.float().sigmoid().transpose(1, 2).contiguous()
    for (row, query), probabilities, box in zip(kept, maps, _boxes(maps), strict=True):
        runs = mask_runs(probabilities, box, pairs[row].size)
        if runs.starts.size:
            x0, y0, x1, y1 = rle.box_xyxy(runs)
            found[row].append(
                Found(
                    prompt_index=pairs[row].prompt_index,
                    score=float(scores[row, query]),
                    box_xyxy=(float(x0), float(y0), float(x1), float(y1)),
                    mask=rle.from_runs(runs),
                )
            )
    return found


def _best(scores: npt.NDArray[np.float32]) -> list[int]:
    order = np.argsort(-scores, kind="stable")[:MAX_INSTANCES_PER_PROMPT]
    return [int(query) for query in order if scores[query] >= SCORE_FLOOR]


def _boxes(maps: torch.Tensor) -> npt.NDArray[np.int64]:
    """Where each map is above the threshold: x0, x1, y0, y1, int64 (maps, 4); all 0 if nowhere."""
    above = maps > _MASK_THRESHOLD
    return torch.cat([*_span(above.any(dim=2)), *_span(above.any(dim=1))], dim=1).cpu().numpy()


def _span(hit: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First hit and the place behind the last hit of each line, (lines, 1) each."""
    places = torch.arange(hit.shape[1], device=hit.device)
    first = torch.where(hit, places, hit.shape[1]).amin(dim=1, keepdim=True)
    behind = torch.where(hit, places + 1, 0).amax(dim=1, keepdim=True)
    return torch.minimum(first, behind), behind


def mask_runs(
    probabilities: torch.Tensor, box: Sequence[int] | npt.NDArray[np.int64], size: tuple[int, int]
) -> rle.Runs:
    """Enlarge one map to its image and cut it at the threshold, inside the map's box alone.

    Bilinear interpolation of values that are not above the threshold is not above it either, so no
    pixel further than one cell from the box can belong to the mask: nothing is approximated.

    Args:
        probabilities: float32 (w, h), transposed: x first.
        box: x0, x1, y0, y1 of the cells above the threshold.
        size: ``(height, width)`` of the image, pixels.
    """
    x0, x1, y0, y1 = (int(value) for value in box)
    height, width = size
    columns = _Axis.over(x0, x1, cells=probabilities.shape[0], pixels=width)
    rows = _Axis.over(y0, y1, cells=probabilities.shape[1], pixels=height)
    enlarged = rows.enlarge(columns.enlarge(probabilities, dim=0), dim=1)
    crop = (enlarged > _MASK_THRESHOLD).cpu().numpy()
    return rle.crop_runs(crop.T, (columns.start, rows.start), size)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Bilinear interpolation along one axis, of the pixels ``start`` to ``stop``."""

    start: int
    stop: int
    cells: int
    pixels: int

    @classmethod
    def over(cls, first: int, behind: int, *, cells: int, pixels: int) -> _Axis:
        """The pixels that the cells ``first`` to ``behind`` have any influence on."""
        ratio = pixels / cells
        start = int((first - 0.5) * ratio - 0.5) - 1
        stop = int((behind + 0.5) * ratio - 0.5) + 2
        return (
            cls(max(0, start), min(pixels, stop), cells, pixels)
            if behind > first
            else cls(0, 0, cells, pixels)
        )

    def enlarge(self, values: torch.Tensor, dim: int) -> torch.Tensor:
        """Replace the cells of ``dim`` by pixels."""
        places = torch.arange(self.start, self.stop, device=values.device, dtype=torch.float32)
        # As interpolate(align_corners=False) does: centres on centres, edges repeated.
        source = ((places + 0.5) * (self.cells / self.pixels) - 0.5).clamp_(min=0)
        low = source.long()
        high = (low + 1).clamp_(max=self.cells - 1)
        weight = (source - low).unsqueeze(1 - dim)
        below = values.index_select(dim, low)
        return below.lerp_(values.index_select(dim, high), weight)
