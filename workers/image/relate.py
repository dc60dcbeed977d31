"""How the masks of one image relate: to better ones of their prompt, to its negatives, to others.

Nothing is decided here: each figure is stored with its instance, and the reading rule decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from maskpool import rivals, rle
from maskpool.domain import MIN_CONTENDED, Found, Instance
from maskpool.rivals import Crowd
from maskpool.rle import Counts
from workers.image.asked import Asked

#: Best instances of an image that are compared across prompts: more pairs would take seconds.
_MAX_CONTENDING = 1_000

#: Masks of negatives that are compared with a prompt's at once: their pairs lie in memory.
_MAX_TOGETHER = 1_000


class _Against(NamedTuple):
    strength: float
    text: str


class _Contended(NamedTuple):
    iou: float
    rival: int


def relate(
    found: Sequence[Found], clip_scores: Mapping[int, float], asked: Asked
) -> tuple[Instance, ...]:
    """Measure how each mask relates to the others of its image.

    The masks of objects are exempt from all of it.

    Args:
        found: What each row of ``asked.texts`` found, by row and then by falling score, and the
            masks of the image's objects.
        clip_scores: CLIP's score by index in ``found``, where CLIP was asked.
        asked: Which rows are prompts, and which are negatives of which.

    Returns:
        One instance for each mask of a prompt and of an object, in the order of ``found``; the
        masks of negatives are left out.
    """
    crowd = Crowd([rle.to_runs(one.mask) for one in found])
    rows = _by_row(found)
    prompts = [rows[row] for row in range(len(asked.prompts)) if row in rows]
    overlaps = _overlaps(crowd, prompts)
    against = _against(crowd, found, rows, asked)
    contended = _contended(crowd, found, prompts)
    kept = [index for index, one in enumerate(found) if _is_kept(one, len(asked.prompts))]
    ordinals = {index: ordinal for ordinal, index in enumerate(kept)}

    def instance(index: int) -> Instance:
        strength, text = against.get(index, (None, None))
        iou, rival = contended.get(index, (None, -1))
        return Instance(
            found[index],
            int(crowd.areas[index]),
            overlaps.get(index, 0.0),
            clip_scores.get(index),
            against=strength,
            against_text=text,
            contended=iou,
            contender=ordinals.get(rival),
        )

    return tuple(map(instance, kept))


def _is_kept(one: Found, prompts: int) -> bool:
    return one.object_index is not None or one.prompt_index < prompts


def _by_row(found: Sequence[Found]) -> dict[int, Counts]:
    """The places in ``found`` of each row's masks; those of objects are of no row."""
    rows: dict[int, list[int]] = {}
    for index, one in enumerate(found):
        if one.object_index is None:
            rows.setdefault(one.prompt_index, []).append(index)
    return {row: np.array(indices, dtype=np.int64) for row, indices in rows.items()}


def _overlaps(crowd: Crowd, prompts: Sequence[Counts]) -> dict[int, float]:
    """The largest IoU with a better mask of the same prompt; left out where it is 0."""
    found: dict[int, float] = {}
    for indices in prompts:
        if indices.size < 2:
            continue
        better = np.tri(indices.size, k=-1, dtype=np.bool_)
        for index, _, iou in rivals.strongest(crowd, indices, indices, better):
            found[index] = float32(iou)
    return found


def _against(
    crowd: Crowd, found: Sequence[Found], rows: Mapping[int, Counts], asked: Asked
) -> dict[int, _Against]:
    """How strongly negatives explain the masks of their prompts; left out where none does."""
    strongest: dict[int, _Against] = {}
    for row, negatives in enumerate(asked.negatives):
        seen = [rows[negative] for negative in negatives if negative in rows]
        if row not in rows or not seen:
            continue
        others = np.concatenate(seen)
        for start in range(0, others.size, _MAX_TOGETHER):
            some = others[start : start + _MAX_TOGETHER]
            for index, rival, strength in _explained(crowd, found, rows[row], some):
                if index not in strongest or strength > strongest[index].strength:
                    text = asked.texts[found[rival].prompt_index]
                    strongest[index] = _Against(strength, text)
    return strongest


def _explained(
    crowd: Crowd, found: Sequence[Found], ones: Counts, negatives: Counts
) -> list[tuple[int, int, float]]:
    """For each mask the negative's mask that explains it best, and how strongly: IoU × its score.

    The IoU, and no share of the mask: a face lies wholly within its person, and "face, not person"
    is to keep it.
    """
    weights = np.array([found[index].score for index in negatives])
    every = np.ones((ones.size, negatives.size), dtype=np.bool_)
    figures = rivals.strongest(crowd, ones, negatives, every, weights=weights)
    return [(index, rival, float32(strength)) for index, rival, strength in figures]


def _contended(
    crowd: Crowd, found: Sequence[Found], prompts: Sequence[Counts]
) -> dict[int, _Contended]:
    """The better mask of another prompt that each mask overlaps most; left out below 0.5.

    Of equal scores the one that stands first is better: of two of them exactly one yields.
    """
    if len(prompts) < 2:
        return {}
    indices = np.concatenate(prompts)
    scores = np.array([found[index].score for index in indices])
    best_first = indices[np.argsort(-scores, kind="stable")[:_MAX_CONTENDING]]
    rows = np.array([found[index].prompt_index for index in best_first])
    allowed = np.tri(best_first.size, k=-1, dtype=np.bool_) & (rows[:, None] != rows[None])
    figures = rivals.strongest(crowd, best_first, best_first, allowed, least=MIN_CONTENDED)
    return {index: _Contended(float32(iou), rival) for index, rival, iou in figures}


def float32(value: float) -> float:
    """Rounded as the row keeps it, so that a threshold cuts rows and mask objects alike."""
    return float(np.float32(value))
