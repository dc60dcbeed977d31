"""First stage: the vision tower learns shapes and colours through throw-away heads.

A detector trained from scratch spends most of its time on features that cannot tell shapes apart.
Here every token says which shape and colour lie under it and where that object's box is; the heads
are dropped afterwards.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from training.losses import box_iou_and_giou
from training.scene_pool import SceneBatch
from training.vocabulary import COLOURS, SHAPES

_BOX = 4
_SHAPE_CLASSES = len(SHAPES) + 1
_COLOUR_CLASSES = len(COLOURS) + 1


class DenseHeads(nn.Module):
    """1x1 convolutions over the coarse and the fine pyramid level."""

    def __init__(self, hidden: int) -> None:
        """Builds heads for pyramid levels of `hidden` channels."""
        super().__init__()
        self.coarse = nn.Conv2d(hidden, _SHAPE_CLASSES + _COLOUR_CLASSES + _BOX, 1)
        self.fine = nn.Conv2d(hidden, _SHAPE_CLASSES + _COLOUR_CLASSES + 1, 1)

    def coarse_loss(
        self, level: torch.Tensor, batch: SceneBatch
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Classifies tokens and places the box of the object at each.

        Args:
            level: float `(B, hidden, tokens, tokens)`.
            batch: The scenes.

        Returns:
            The scalar loss, and the share of tokens on objects whose shape is right.
        """
        prediction = self.coarse(F.relu(level))
        cover = F.adaptive_avg_pool2d(batch.masks, level.shape[-1])
        shapes, colours = class_shares(cover, batch.kinds)
        weight = token_weights(cover)
        shape_logits, colour_logits, box = prediction.split(
            [_SHAPE_CLASSES, _COLOUR_CLASSES, _BOX], 1
        )
        loss = _soft_entropy(shape_logits, shapes, weight) + 0.5 * _soft_entropy(
            colour_logits, colours, weight
        )
        best, item = cover.max(1)
        inside = best > 0.5
        accuracy = (shape_logits.argmax(1) == shapes.argmax(1))[inside].float().mean()
        return loss + 0.5 * self._box_loss(box, batch.boxes, item, inside, weight), accuracy

    @staticmethod
    def _box_loss(
        box: torch.Tensor,
        truth: torch.Tensor,
        item: torch.Tensor,
        inside: torch.Tensor,
        weight: torch.Tensor,
    ) -> torch.Tensor:
        """Returns the mean GIoU loss of the boxes predicted at tokens which lie in an object."""
        side = box.shape[-1]
        steps = (torch.arange(side, device=box.device) + 0.5) / side
        centre = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), 0)
        offset = box.permute(0, 2, 3, 1)
        predicted = torch.cat(
            [centre.permute(1, 2, 0) + 0.3 * offset[..., :2], (offset[..., 2:] - 1.4).sigmoid()], -1
        )
        rows = torch.arange(len(truth), device=box.device)[:, None, None].expand_as(item)
        wanted = truth[rows, item]
        _, giou = box_iou_and_giou(predicted[inside], wanted[inside])
        l1 = (predicted[inside] - wanted[inside]).abs().sum(-1)
        share = weight[inside] / weight[inside].sum().clamp(min=1e-6)
        return ((1 - giou + 2 * l1) * share).sum()

    def fine_loss(
        self, level: torch.Tensor, masks: torch.Tensor, kinds: torch.Tensor
    ) -> torch.Tensor:
        """Classifies cells of the finest level and finds the rims of objects.

        Args:
            level: float `(B, hidden, grid, grid)`.
            masks: float `(B, O, grid, grid)`, 0-1.
            kinds: int64 `(B, O, 2)`.

        Returns:
            The scalar loss.
        """
        prediction = self.fine(F.relu(level))
        shapes, colours = class_shares(masks, kinds)
        weight = token_weights(masks)
        shape_logits, colour_logits, rim = prediction.split([_SHAPE_CLASSES, _COLOUR_CLASSES, 1], 1)
        edge = (4 * masks * (1 - masks)).amax(1)
        loss = _soft_entropy(shape_logits, shapes, weight) + 0.5 * _soft_entropy(
            colour_logits, colours, weight
        )
        return loss + F.binary_cross_entropy_with_logits(rim[:, 0], edge)


def class_shares(cover: torch.Tensor, kinds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums the covered shares of cells by shape and by colour, with "nothing" as the last class.

    Args:
        cover: float `(B, O, side, side)`, 0-1.
        kinds: int64 `(B, O, 2)`, -1 where there is no object.

    Returns:
        float `(B, shapes + 1, side, side)` and `(B, colours + 1, side, side)`, each summing to 1.
    """
    known = (kinds[..., :1] >= 0).float()
    shape = F.one_hot(kinds[..., 0].clamp(min=0), len(SHAPES)).float() * known
    colour = F.one_hot(kinds[..., 1].clamp(min=0), len(COLOURS)).float() * known
    rest = (1 - cover.sum(1, keepdim=True)).clamp(min=0)
    by_shape = torch.einsum("bos,bohw->bshw", shape, cover)
    by_colour = torch.einsum("boc,bohw->bchw", colour, cover)
    return torch.cat([by_shape, rest], 1), torch.cat([by_colour, rest], 1)


def token_weights(cover: torch.Tensor) -> torch.Tensor:
    """Lets small objects count nearly as much as large ones; float `(B, side, side)`, mean 1."""
    area = cover.flatten(2).sum(2)[..., None, None]
    cells = cover[0, 0].numel()
    weight = 0.3 + (cover * (0.15 * cells / (area + 0.01 * cells)).clamp(max=6)).sum(1)
    return weight / weight.mean()


def _soft_entropy(logits: torch.Tensor, shares: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Returns the weighted cross-entropy of `(B, classes, side, side)` against soft shares."""
    return -((shares * logits.log_softmax(1)).sum(1) * weight).mean()
