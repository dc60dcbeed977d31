"""From boxes and points to masks: one row an object, rows of as many points together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from maskpool import rle
from maskpool.domain import Found
from maskpool.ports import ObjectAsk
from workers.models.portions import Portions
from workers.models.sam3.mask_to_rle import masks_to_rle
from workers.models.sam3.tracker import ObjectFeatures, Tracker

#: Labels of a box's corners among points (``Sam3TrackerPromptEncoder._embed_boxes``).
_UPPER_LEFT, _LOWER_RIGHT = 2, 3

#: SAM's masks are where logits are above 0, and ``masks_to_rle`` cuts at one half. A constant goes
#: through the linear enlargement as it is.
_SHIFT = 0.5


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One object to draw.

    Attributes:
        image_index: Its image among those whose features are given.
        size: ``(height, width)`` of that image, pixels.
        ask: Where the object is, in the image's pixels.
    """

    image_index: int
    size: tuple[int, int]
    ask: ObjectAsk

    def points(self, side: int) -> list[tuple[float, float, int]]:
        """``(x, y, label)`` in pixels of the model's square; a box is its two corners.

        Points come before corners, as ``Sam3TrackerPromptEncoder`` orders them.
        """
        placed: list[tuple[float, float, int]] = [*self.ask.points]
        if self.ask.box_xyxy is not None:
            x0, y0, x1, y1 = self.ask.box_xyxy
            placed += [(x0, y0, _UPPER_LEFT), (x1, y1, _LOWER_RIGHT)]
        height, width = self.size
        return [(x * side / width, y * side / height, label) for x, y, label in placed]


class Objects:
    """Draws objects in portions.

    Args:
        tracker: Draws.
        most: Rows in one pass.
    """

    def __init__(self, tracker: Tracker, most: int) -> None:
        self._tracker = tracker
        self._portions = Portions(most)

    def encode(self, states: torch.Tensor) -> ObjectFeatures:
        """The features of images for all of their objects: most of the work, once an image.

        Args:
            states: What the backbone says of each cell, (images, channels, h, w).
        """
        return self._tracker.encode(states)

    def find(self, features: ObjectFeatures, rows: Sequence[ObjectRow]) -> list[Found]:
        """Draw all objects.

        Args:
            features: Of their images.
            rows: All objects of these images.

        Returns:
            One for each row, in their order; a mask may be empty.
        """
        found: dict[int, Found] = {}
        for places in _by_points(rows):
            group = [rows[place] for place in places]
            drawn = self._portions.map(group, lambda portion: self._draw(features, portion))
            found |= zip(places, drawn, strict=True)
        return [found[place] for place in range(len(rows))]

    def _draw(self, features: ObjectFeatures, rows: Sequence[ObjectRow]) -> list[Found]:
        device = features.cells.device
        points = torch.tensor([row.points(self._tracker.side) for row in rows], device=device)
        images = torch.tensor([row.image_index for row in rows], device=device)
        logits, ious = self._tracker.draw(features, images, points[..., :2], points[..., 2].long())
        expected, best = ious.max(dim=1)
        kept = logits[torch.arange(len(rows), device=device), best]
        return _read(rows, kept, expected.tolist())


def _by_points(rows: Sequence[ObjectRow]) -> list[list[int]]:
    """Places of rows, those with as many points together."""
    groups: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        count = len(row.ask.points) + 2 * (row.ask.box_xyxy is not None)
        groups.setdefault(count, []).append(place)
    return list(groups.values())


def _read(
    rows: Sequence[ObjectRow], logits: torch.Tensor, predicted_ious: Sequence[float]
) -> list[Found]:
    """The masks of rows, float32 (rows, h, w), at the sizes of their images."""
    encoded = masks_to_rle(logits + _SHIFT, [row.size for row in rows])
    drawn = {one.place: (one.box_xyxy, one.mask) for one in encoded}
    found = []
    for place, (row, predicted_iou) in enumerate(zip(rows, predicted_ious, strict=True)):
        box_xyxy, mask = drawn.get(place) or ((0.0, 0.0, 0.0, 0.0), rle.empty(row.size))
        found.append(
            Found(
                row.ask.prompt_index,
                row.ask.score,
                box_xyxy,
                mask,
                object_index=row.ask.object_index,
                predicted_iou=predicted_iou,
            )
        )
    return found
