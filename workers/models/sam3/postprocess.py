"""From the detector's output to instances: the published rules, at the cost of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from maskpool.domain import MAX_INSTANCES_PER_PROMPT, SCORE_FLOOR, Found, PromptScores
from workers.models.sam3.mask_to_rle import masks_to_rle


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the detector's output: one text in one image.

    Attributes:
        image_index: Which image of the call.
        prompt_index: Which text of that image.
        size: ``(height, width)`` of the image, pixels.
        text_index: Which of all different texts of the call.
    """

    image_index: int
    prompt_index: int
    size: tuple[int, int]
    text_index: int


@dataclass(frozen=True, slots=True)
class RowResult:
    """What one row says.

    Attributes:
        found: By falling score.
        scores: Also where nothing was found.
    """

    found: list[Found]
    scores: PromptScores


def scores_of(
    logits: torch.Tensor, presence: torch.Tensor
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Class probability × presence, and presence alone; in one copy from the device.

    Args:
        logits: (rows, queries).
        presence: Logits (rows, 1).

    Returns:
        float32 (rows, queries) and (rows,) in [0, 1], on the host.
    """
    present = presence.float().sigmoid()
    both = torch.cat([logits.float().sigmoid() * present, present], dim=1).cpu().numpy()
    return both[:, :-1], both[:, -1]


def presence_of(presence: torch.Tensor) -> npt.NDArray[np.float32]:
    """Probability that there is any of it.

    Args:
        presence: Logits (rows, 1).

    Returns:
        float32 (rows,) in [0, 1], on the host.
    """
    found: npt.NDArray[np.float32] = presence.float().sigmoid()[:, 0].cpu().numpy()
    return found


def kept_queries(scores: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """Row and query of what is worth a mask: most queries score nothing.

    Args:
        scores: float32 (rows, queries).

    Returns:
        By row, and there by falling score.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :MAX_INSTANCES_PER_PROMPT]
    rows, places = np.nonzero(np.take_along_axis(scores, best, axis=1) >= SCORE_FLOOR)
    return list(zip(rows.tolist(), best[rows, places].tolist(), strict=True))


def found_in_rows(
    pairs: Sequence[Pair],
    scores: npt.NDArray[np.float32],
    kept: Sequence[tuple[int, int]],
    mask_logits: torch.Tensor,
) -> list[list[Found]]:
    """Read the instances out of the masks of one pass of the mask decoder.

    Args:
        pairs: What each row is about.
        scores: float32 (rows, queries).
        kept: Row and query of each mask.
        mask_logits: (kept, h, w), any float type.

    Returns:
        One list a row, in the order of ``kept``; empty masks are dropped.
    """
    found: list[list[Found]] = [[] for _ in pairs]
    sizes = [pairs[row].size for row, _ in kept]
    for one in masks_to_rle(mask_logits.float().sigmoid(), sizes):
        row, query = kept[one.place]
        found[row].append(
            Found(
                prompt_index=pairs[row].prompt_index,
                score=float(scores[row, query]),
                box_xyxy=one.box_xyxy,
                mask=one.mask,
            )
        )
    return found


def region_in_rows(
    pairs: Sequence[Pair],
    presence: npt.NDArray[np.float32],
    present: Sequence[int],
    region_logits: torch.Tensor,
) -> list[list[Found]]:
    """Read regions, at most one a row.

    Args:
        pairs: What each row is about.
        presence: Probability that there is any of it, float32 (rows,).
        present: The rows whose region was drawn.
        region_logits: (present, h, w), any float type.

    Returns:
        One list a row; empty regions are dropped.
    """
    found: list[list[Found]] = [[] for _ in pairs]
    sizes = [pairs[row].size for row in present]
    for one in masks_to_rle(region_logits.float().sigmoid(), sizes):
        row = present[one.place]
        score = float(presence[row])
        found[row].append(Found(pairs[row].prompt_index, score, one.box_xyxy, one.mask))
    return found
