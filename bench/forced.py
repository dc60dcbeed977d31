"""Given instances, as random weights find none: the same blobs for both ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from workers.models.sam3 import text_rows
from workers.models.sam3.passes import Detections, ImageFeatures, Passes
from workers.models.sam3.segmenter import Sam3Segmenter

#: Number of different blobs.
_BLOBS = 64


class Forced:
    """Gives each image a fixed number of instances, whatever its prompts.

    Args:
        instances: Instances of an image, divided among its prompts, at least one each.
        side: Side of the maps in cells.
        device: Device of the maps.
    """

    def __init__(self, instances: int, side: int, device: torch.device) -> None:
        self._instances = instances
        self._blobs = _ellipses(side).to(device)

    def count(self, prompts: int) -> int:
        """Instances of one prompt of one image."""
        return max(1, round(self._instances / prompts))

    def maps(self, count: int, like: torch.Tensor) -> torch.Tensor:
        """Probabilities (count, side, side), in the type of ``like``."""
        return self._blobs[torch.arange(count, device=like.device) % _BLOBS].to(like.dtype)

    @contextmanager
    def on(self, segmenter: Sam3Segmenter, prompts: int) -> Iterator[None]:
        """Make our own way find them: everything is computed as usual, then masks are replaced."""
        passes, kept_queries = segmenter._passes, text_rows.kept_queries  # noqa: SLF001
        count, draw = self.count(prompts), Passes.decode_masks

        def kept(scores: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
            kept_queries(scores)
            return [(row, query) for row in range(len(scores)) for query in range(count)]

        def drawn(
            image_features: ImageFeatures, detections: Detections, which: Sequence[tuple[int, int]]
        ) -> torch.Tensor:
            made = draw(passes, image_features, detections, which)
            return self.maps(len(which), made).float().logit(1e-4).to(made.dtype)

        text_rows.kept_queries = kept
        passes.decode_masks = drawn  # type: ignore[method-assign]
        try:
            yield
        finally:
            text_rows.kept_queries = kept_queries
            del passes.decode_masks


def _ellipses(side: int) -> torch.Tensor:
    """Probabilities of smooth blobs of many sizes, float32 (blobs, side, side)."""
    random = torch.Generator().manual_seed(3)
    centre = 0.15 + 0.7 * torch.rand(2, _BLOBS, 1, 1, generator=random)
    radius = 0.03 + 0.15 * torch.rand(2, _BLOBS, 1, 1, generator=random)
    places = (torch.arange(side) + 0.5) / side
    y, x = (places[:, None] - centre[0]) / radius[0], (places - centre[1]) / radius[1]
    return ((1 - (x**2 + y**2).sqrt()) * 8).sigmoid()
