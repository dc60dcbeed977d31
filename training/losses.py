"""What training minimises: matching of queries to objects, and the losses of the matches."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy.optimize import linear_sum_assignment

#: Weights of the decoder layers, first to last: the last one is what serving reads.
LAYER_WEIGHTS = (0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class PairTargets:
    """The ground truth of `N` image-prompt pairs, with `O` object rows each."""

    #: bool `(N, O)`, whether the prompt asks for the object.
    wanted: torch.Tensor
    #: float `(N, O, 4)`, normalised cxcywh of the visible part.
    boxes: torch.Tensor


@dataclass(frozen=True, slots=True)
class Matches:
    """`M` matched queries of one decoder layer, as three int64 `(M,)`."""

    pair: torch.Tensor
    query: torch.Tensor
    item: torch.Tensor


def to_xyxy(boxes: torch.Tensor) -> torch.Tensor:
    """Turns cxcywh `(..., 4)` into xyxy."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def box_iou_and_giou(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns IoU and generalised IoU, each `(...)`, of broadcasting cxcywh boxes `(..., 4)`."""
    a, b = to_xyxy(left), to_xyxy(right)
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(
        min=0
    )
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(
        min=0
    )
    overlap, hull = inner[..., 0] * inner[..., 1], outer[..., 0] * outer[..., 1]
    union = left[..., 2] * left[..., 3] + right[..., 2] * right[..., 3] - overlap
    iou = overlap / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


@torch.no_grad()
def match(logits: torch.Tensor, boxes: torch.Tensor, targets: PairTargets) -> Matches:
    """Gives each wanted object one query of its own, at the least total cost.

    Args:
        logits: float `(N, Q)`, one layer's class logits.
        boxes: float `(N, Q, 4)`, the layer's boxes as cxcywh.
        targets: The ground truth.

    Returns:
        The matches.
    """
    _, giou = box_iou_and_giou(boxes[:, :, None], targets.boxes[:, None])
    distance = (boxes[:, :, None] - targets.boxes[:, None]).abs().sum(-1)
    cost = (-2 * logits.sigmoid()[..., None] + 5 * distance - 2 * giou).float().cpu().numpy()
    wanted = targets.wanted.cpu().numpy()
    rows: list[tuple[int, int, int]] = []
    for pair in np.flatnonzero(wanted.any(1)):
        items = np.flatnonzero(wanted[pair])
        queries, columns = linear_sum_assignment(cost[pair][:, items])
        rows.extend(
            (int(pair), int(query), int(items[column]))
            for query, column in zip(queries, columns, strict=True)
        )
    table = torch.tensor(rows, dtype=torch.long, device=logits.device).view(-1, 3)
    return Matches(table[:, 0], table[:, 1], table[:, 2])


def class_loss(logits: torch.Tensor, matches: Matches, quality: torch.Tensor) -> torch.Tensor:
    """Varifocal-like loss, summed: matched queries learn their box's quality, the others 0.

    Args:
        logits: float `(N, Q)`.
        matches: The `M` matched queries.
        quality: float `(M,)`, 0-1.

    Returns:
        A scalar.
    """
    target = torch.zeros_like(logits)
    target[matches.pair, matches.query] = quality
    weight = 0.75 * logits.detach().sigmoid() ** 2 + 0.02
    weight[matches.pair, matches.query] = 1.0
    return (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum()


def decoder_losses(
    logits: torch.Tensor, boxes: torch.Tensor, presence: torch.Tensor, targets: PairTargets
) -> tuple[torch.Tensor, Matches]:
    """Sums class, box and presence losses over all decoder layers.

    Args:
        logits: float `(L, N, Q)`.
        boxes: float `(L, N, Q, 4)`, cxcywh.
        presence: float `(L, N)`, logits.
        targets: The ground truth.

    Returns:
        The scalar loss and the last layer's matches.
    """
    count = max(int(targets.wanted.sum()), 1)
    present = targets.wanted.any(1).float()
    total = logits.new_zeros(())
    for layer, layer_weight in enumerate(LAYER_WEIGHTS):
        matches = match(logits[layer], boxes[layer], targets)
        predicted = boxes[layer][matches.pair, matches.query]
        truth = targets.boxes[matches.pair, matches.item]
        iou, giou = box_iou_and_giou(predicted, truth)
        # Small boxes hardly move an L1 in units of the image, yet they are the ones that get lost.
        emphasis = (0.2 / (truth[:, 2:].prod(-1) + 0.01).sqrt()).clamp(0.5, 1.6)
        l1 = ((predicted - truth).abs().sum(-1) * emphasis).sum()
        quality = iou.detach().clamp(0, 1).sqrt()
        loss = (
            2 * class_loss(logits[layer], matches, quality)
            + 5 * l1
            + 2 * ((1 - giou) * emphasis).sum()
        )
        seen = F.binary_cross_entropy_with_logits(presence[layer], present)
        total = total + layer_weight * (loss / count + 1.5 * seen)
    return total, matches


def mask_losses(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compares `M` masks with soft, area-averaged targets.

    Args:
        logits: float `(M, grid, grid)`.
        targets: float `(M, grid, grid)`, 0-1.

    Returns:
        Mean binary cross-entropy, weighted up for small objects, and mean dice loss.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").flatten(1)
    area = targets.flatten(1).sum(1)
    # Plain averaging would make a small object's mask a rounding error of its background.
    entropy_mean = entropy.mean(1) * (logits[0].numel() / (4 * area + 60)).clamp(0.5, 6)
    probabilities, flat = logits.sigmoid().flatten(1), targets.flatten(1)
    overlap = 2 * (probabilities * flat).sum(1) + 1
    dice = 1 - overlap / ((probabilities**2).sum(1) + (flat**2).sum(1) + 1)
    return entropy_mean.mean(), dice.mean()
