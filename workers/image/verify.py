"""CLIP's score of instances whose prompt has negative texts, where the batch asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from maskpool.domain import MAX_INSTANCES_PER_PROMPT, Found
from maskpool.ports import Image
from workers.engine.work import Scored
from workers.image.asked import Asked
from workers.image.relate import float32
from workers.models.clip.crop import crop_for_clip

#: Has crops compared with texts, e.g. by ``Engine.score``, and waits for the answer.
Score = Callable[[Sequence[Image], Sequence[str]], Scored]


def verify(image: Image, found: Sequence[Found], asked: Asked, score: Score) -> dict[int, float]:
    """Compare each instance's crop with its prompt's text and negative texts.

    Args:
        image: RGB uint8 (height, width, 3).
        found: What the segmenter found in it.
        asked: The batch's prompts; those without negative texts are passed over.
        score: Compares crops with texts.

    Returns:
        The probability that the prompt's text wins against its strongest negative text, by index
        in ``found``: the logistic function of the difference of CLIP's logits. Nothing where CLIP
        is not asked.
    """
    scores: dict[int, float] = {}
    for prompt_index, prompt in enumerate(asked.prompts if asked.verify else ()):
        indices = [i for i, one in enumerate(found) if one.prompt_index == prompt_index]
        if not prompt.negatives or not indices:
            continue
        for start in range(0, len(indices), MAX_INSTANCES_PER_PROMPT):
            some = indices[start : start + MAX_INSTANCES_PER_PROMPT]
            crops = [crop_for_clip(image, found[i].box_xyxy) for i in some]
            scored = score(crops, (prompt.text, *prompt.negatives))
            margin = scored.similarities[:, 0] - scored.similarities[:, 1:].max(axis=1)
            wins = 1 / (1 + np.exp(-margin.astype(np.float64)))
            scores |= zip(some, map(float32, wins), strict=True)
    return scores
