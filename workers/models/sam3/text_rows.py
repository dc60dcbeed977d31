"""The rows of a call that look for texts: one text in one image each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from maskpool.domain import SCORE_FLOOR, Found
from maskpool.ports import Request
from workers.models.sam3.passes import Detections, ImageFeatures, Passes
from workers.models.sam3.postprocess import (
    Pair,
    found_in_rows,
    kept_queries,
    region_in_rows,
    scores_of,
)

#: Gives a context for the time of a named stage.
Stage = Callable[[str], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class TextRows:
    """What the rows of one call share.

    Attributes:
        passes: Of the model.
        image_features: The images of the call.
        features: Of all different texts of the call, (texts, tokens, channels).
        text_mask: True for the tokens that are text, (texts, tokens).
        stage: Called with ``detector``, ``masks`` and ``rle``.
    """

    passes: Passes
    image_features: ImageFeatures
    features: torch.Tensor
    text_mask: torch.Tensor
    stage: Stage

    def instances(self, portion: Sequence[Pair]) -> list[list[Found]]:
        """What each row finds, by falling score."""
        with self.stage("detector"):
            detections = self._detect(portion)
            scores = scores_of(detections.logits, detections.presence)
        kept = kept_queries(scores)
        if not kept:
            return [[] for _ in portion]
        with self.stage("masks"):
            drawn = self.passes.decode_masks(self.image_features, detections, kept)
        with self.stage("rle"):
            return found_in_rows(portion, scores, kept, drawn)

    def regions(self, portion: Sequence[Pair]) -> list[list[Found]]:
        """All that each row's text means, as one region; its score is that there is any."""
        with self.stage("detector"):
            detections = self._detect(portion)
            presence = detections.presence.float().sigmoid()[:, 0].cpu().numpy()
        present = [row for row, score in enumerate(presence) if score >= SCORE_FLOOR]
        if not present:
            return [[] for _ in portion]
        with self.stage("masks"):
            drawn = self.passes.decode_regions(self.image_features, detections, present)
        with self.stage("rle"):
            return region_in_rows(portion, presence, present, drawn)

    def _detect(self, portion: Sequence[Pair]) -> Detections:
        texts = [pair.text_index for pair in portion]
        about = [pair.image_index for pair in portion]
        return self.passes.detect(
            self.image_features, about, self.features[texts], self.text_mask[texts]
        )


def pairs_of(
    requests: Sequence[Request[Any]], sizes: Sequence[tuple[int, int]], texts: Sequence[str]
) -> tuple[list[Pair], list[Pair]]:
    """All rows of a call, by image and there by prompt: those of instances, and those of regions.

    Args:
        requests: Of the call.
        sizes: ``(height, width)`` of each one's image, pixels.
        texts: All different texts of the requests.
    """
    place = {text: index for index, text in enumerate(texts)}

    def pairs(*, stuff: bool) -> Iterator[Pair]:
        for image_index, request in enumerate(requests):
            for prompt_index, text in enumerate(request.texts):
                if (prompt_index in request.stuff) is stuff:
                    yield Pair(image_index, prompt_index, sizes[image_index], place[text])

    return list(pairs(stuff=False)), list(pairs(stuff=True))
