"""What a person would give to say "this one": clicks inside, corrections, boxes drawn by hand."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812

#: A corner is off by at most this share of the box's side.
_JITTER = 0.1

#: How much deep places are preferred where they are; about the middle of a disc.
_DEPTH_POWER = 6


@dataclass(frozen=True, slots=True)
class Prompts:
    """The same kind of prompt for each of `N` objects, in pixels of the model's square input."""

    #: float `(N, n, 2)` xy and int64 `(N, n)`, 1 for the object and 0 for what it is not.
    points: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    #: float `(N, 4)`, xyxy.
    boxes: torch.Tensor | None = None

    def with_click(self, point: torch.Tensor, label: torch.Tensor) -> "Prompts":
        """Returns these and one more click an object: float `(N, 2)` and int64 `(N,)`."""
        if self.points is None or self.labels is None:
            return replace(self, points=point[:, None], labels=label[:, None])
        points = torch.cat([self.points, point[:, None]], 1)
        return replace(self, points=points, labels=torch.cat([self.labels, label[:, None]], 1))


def click_inside(masks: torch.Tensor, side: float, *, deep: bool = False) -> torch.Tensor:
    """Clicks anywhere on the visible part of each object.

    Args:
        masks: float `(N, grid, grid)`, share of each cell that the visible part covers, 0-1.
        side: Side of the model's input in pixels.
        deep: Prefer the middle.

    Returns:
        float `(N, 2)`, xy in pixels.
    """
    return _pick((masks > 0.5).float(), side, deep=deep)


def correct(
    logits: torch.Tensor, masks: torch.Tensor, side: float, *, deep: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clicks where a mask is wrong; inside the object where it is not.

    Args:
        logits: float `(N, grid, grid)`, the last masks.
        masks: float `(N, grid, grid)`, what they should be, 0-1.
        side: Side of the model's input in pixels.
        deep: Prefer the middle of large mistakes.

    Returns:
        float `(N, 2)`, xy in pixels, and int64 `(N,)`, 1 where the object was missed and 0 where
        something else was taken for it.
    """
    inside = masks > 0.5
    # Nobody clicks on an edge to say which side it belongs to.
    wrong = ((logits > 0) != inside).float() * (2 * masks - 1).abs()
    right = wrong.flatten(1).sum(1) < 0.5
    wrong[right] = inside[right].float()
    points = _pick(wrong, side, deep=deep)
    grid = masks.shape[-1]
    cells = (points / side * grid).long().clamp(max=grid - 1)
    labels = inside[torch.arange(len(masks)), cells[:, 1], cells[:, 0]].long()
    return points, labels


def jitter(boxes: torch.Tensor, side: float) -> torch.Tensor:
    """Moves each corner a little, as a hand would.

    Args:
        boxes: float `(N, 4)`, xyxy in pixels.
        side: Side of the model's input in pixels, which nothing leaves.

    Returns:
        float `(N, 4)`, xyxy in pixels.
    """
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    strength = torch.rand(len(boxes), 1, device=boxes.device) * _JITTER
    moved = boxes + (torch.rand_like(boxes) * 2 - 1) * strength * size
    return moved.clamp(0, side)


def _pick(weights: torch.Tensor, side: float, *, deep: bool) -> torch.Tensor:
    """Draws one place a row, in proportion to weights `(N, grid, grid)` of 0 or more."""
    grid = weights.shape[-1]
    if deep:
        near = F.avg_pool2d(weights[:, None], 5, stride=1, padding=2)[:, 0]
        deepest = near.flatten(1).amax(1).clamp(min=1e-6)
        weights = weights * (near / deepest[:, None, None]) ** _DEPTH_POWER
    # Rows without any weight would be refused.
    cells = torch.multinomial(weights.flatten(1) + 1e-9, 1)[:, 0]
    corner = torch.stack([cells % grid, cells // grid], 1).float()
    return (corner + torch.rand_like(corner)) * (side / grid)
