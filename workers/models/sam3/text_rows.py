"""The rows of a call that look for texts: one text in one image each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from maskpool.domain import SCORE_FLOOR, Found, PromptScores
from maskpool.ports import Request
from workers.models.sam3.passes import Detections, ImageFeatures, Passes
from workers.models.sam3.postprocess import (
    Pair,
    RowResult,
    found_in_rows,
    kept_queries,
    presence_of,
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

    def instances(self, portion: Sequence[Pair]) -> list[RowResult]:
        """What each row finds."""
        with self.stage("detector"):
            detections = self._detect(portion)
            scores, presence = scores_of(detections.logits, detections.presence)
        found: list[list[Found]] = [[] for _ in portion]
        if kept := kept_queries(scores):
            with self.stage("masks"):
                drawn = self.passes.decode_masks(self.image_features, detections, kept)
            with self.stage("rle"):
                found = found_in_rows(portion, scores, kept, drawn)
        return _results(found, presence, scores.max(axis=1))

    def regions(self, portion: Sequence[Pair]) -> list[RowResult]:
        """All that each row's text means, as one region; its score is that there is any."""
        with self.stage("detector"):
            detections = self._detect(portion)
            presence = presence_of(detections.presence)
        found: list[list[Found]] = [[] for _ in portion]
        if present := [row for row, score in enumerate(presence) if score >= SCORE_FLOOR]:
            with self.stage("masks"):
                drawn = self.passes.decode_regions(self.image_features, detections, present)
            with self.stage("rle"):
                found = region_in_rows(portion, presence, present, drawn)
        return _results(found, presence, presence)

    def _detect(self, portion: Sequence[Pair]) -> Detections:
        texts = [pair.text_index for pair in portion]
        about = [pair.image_index for pair in portion]
        return self.passes.detect(
            self.image_features, about, self.features[texts], self.text_mask[texts]
        )


def _results(
    found: Sequence[list[Found]],
    presence: npt.NDArray[np.float32],
    best: npt.NDArray[np.float32],
) -> list[RowResult]:
    """One a row.

    Args:
        found: Of each row.
        presence: Float32 (rows,).
        best: Largest score of each row, float32 (rows,).
    """
    scores = map(PromptScores, presence.tolist(), best.tolist())
    return list(map(RowResult, found, scores))


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
