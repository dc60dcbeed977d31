"""Models that know no weights, for workers whose queue, leases or files are the matter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from maskpool import rle
from maskpool.domain import Found
from maskpool.ports import Answer, Image, ObjectAsk, Request

#: What the texts of a request find in its image, by text.
Look = Callable[[Request[Image]], list[Found]]


class TimedSegmenter:
    """Needs a known time for each image, and finds what ``look`` says."""

    def __init__(self, image_seconds: float, look: Look) -> None:
        self._image_seconds = image_seconds
        self._look = look

    def segment(self, requests: Sequence[Request[Image]]) -> list[Answer]:
        time.sleep(self._image_seconds * len(requests))
        return [Answer([*self._look(one), *drawn(one)]) for one in requests]


def drawn(request: Request[Image]) -> list[Found]:
    """Every object's box, filled; of an object without a box, the pixels of its points."""
    size = request.image.shape[:2]
    return [_filled(ask, size) for ask in request.objects]


def _filled(ask: ObjectAsk, size: tuple[int, ...]) -> Found:
    mask = np.zeros(size, np.bool_)
    if ask.box_xyxy is not None:
        x0, y0, x1, y1 = map(round, ask.box_xyxy)
        mask[y0:y1, x0:x1] = True
    else:
        for x, y, label in ask.points:
            mask[min(int(y), size[0] - 1), min(int(x), size[1] - 1)] = bool(label)
    encoded = rle.encode(mask)
    x0, y0, x1, y1 = rle.box_xyxy(rle.to_runs(encoded))
    box = (float(x0), float(y0), float(x1), float(y1))
    return Found(ask.prompt_index, ask.score, box, encoded, ask.object_index, 0.875)


class IndifferentScorer:
    """For batches without negative texts, which never ask it."""

    def similarities(self, crops: Sequence[Image], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.zeros((len(crops), len(texts)), np.float32)
