"""How the masks of one image relate: how far each repeats a better one of its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from maskpool import rle
from maskpool.domain import Found, Instance


def relate(found: Sequence[Found], clip_scores: Mapping[int, float]) -> tuple[Instance, ...]:
    """Measure for each mask how much it overlaps a better one of its prompt.

    Args:
        found: By prompt and then by falling score, as a segmenter returns it.
        clip_scores: CLIP's score by index in ``found``, where CLIP was asked.

    Returns:
        One instance for each mask, in the order of ``found``.
    """
    runs = [rle.to_runs(one.mask) for one in found]
    by_prompt: dict[int, list[int]] = {}
    for index, one in enumerate(found):
        by_prompt.setdefault(one.prompt_index, []).append(index)
    overlap: dict[int, float] = {}
    for indices in by_prompt.values():
        values = rle.overlaps([runs[index] for index in indices])
        overlap |= zip(indices, map(float32, values), strict=True)
    return tuple(
        Instance(one, runs[index].area, overlap[index], clip_scores.get(index))
        for index, one in enumerate(found)
    )


def float32(value: float) -> float:
    """Rounded as the row keeps it, so that a threshold cuts rows and mask objects alike."""
    return float(np.float32(value))
