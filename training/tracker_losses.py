"""What training the tracker minimises: focal and dice loss of the best candidate, and its guess.

As in Segment Anything (Kirillov et al., 2023, appendix A): of three candidates only the one with
the least loss is trained, the guessed IoU of all of them by their squared error.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from transformers.models.sam3_tracker.modeling_sam3_tracker import Sam3TrackerMaskDecoder

#: Focal to dice.
_FOCAL, _DICE, _GUESS = 1.0, 1.0, 1.0


def mask_costs(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Compares candidates with soft targets.

    The targets are shares of cells. Both terms are least where the probability equals the share, so
    that an edge lies rightly between two cells once the mask is enlarged.

    Args:
        logits: float `(N, C, grid, grid)`.
        masks: float `(N, grid, grid)`, 0-1.

    Returns:
        float `(N, C)`.
    """
    wanted = masks[:, None].expand_as(logits)
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    focal = ((probability - wanted).abs() * entropy).flatten(2).sum(2)
    area = masks.flatten(1).sum(1)[:, None]
    # By area, not by picture: else a small object's mask is a rounding error of its ground.
    focal = focal / (area + 15)
    overlap = 2 * (probability * wanted).flatten(2).sum(2) + 1
    whole = (probability**2).flatten(2).sum(2) + (wanted**2).flatten(2).sum(2) + 1
    return _FOCAL * focal + _DICE * (1 - overlap / whole)


@torch.no_grad()
def real_iou(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Returns the IoU `(N, C)` of candidates `(N, C, grid, grid)` with masks `(N, grid, grid)`."""
    found, wanted = logits > 0, masks[:, None] > 0.5
    union = (found | wanted).flatten(2).sum(2)
    return (found & wanted).flatten(2).sum(2) / union.clamp(min=1)


def candidate_loss(
    logits: torch.Tensor, guesses: torch.Tensor, masks: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Trains the best candidate of each object, and the guesses of all.

    Args:
        logits: float `(N, C, grid, grid)`.
        guesses: float `(N, C)`, guessed IoU.
        masks: float `(N, grid, grid)`, 0-1.

    Returns:
        The scalar loss; the logits `(N, grid, grid)` which a reader would take, those of the
        highest guess; and their mean real IoU, a scalar.
    """
    costs, iou = mask_costs(logits, masks), real_iou(logits, masks)
    loss = costs.min(1).values.mean() + _GUESS * F.mse_loss(guesses, iou)
    rows, taken = torch.arange(len(logits)), guesses.argmax(1)
    return loss, logits.detach()[rows, taken], iou[rows, taken].mean()


class CoarseAid(nn.Module):
    """A throw-away head on the mask decoder's picture: is this token of what was asked for?

    It makes the picture listen to the prompt long before fine masks have been learned.
    """

    def __init__(self, decoder: Sam3TrackerMaskDecoder) -> None:
        """Watches the picture of a mask decoder."""
        super().__init__()
        self.meant = nn.Linear(decoder.hidden_size, 1)
        self.weight = 1.0
        self._picture: torch.Tensor | None = None
        self._hook = decoder.transformer.register_forward_hook(self._see)

    def _see(self, _module: nn.Module, _given: object, output: tuple[torch.Tensor, ...]) -> None:
        """Keeps the last pass's picture, `(N, 1, tokens, hidden)`."""
        self._picture = output[1]

    def leave(self) -> None:
        """Stops watching."""
        self._hook.remove()

    def loss(self, masks: torch.Tensor) -> torch.Tensor:
        """Returns the last pass's loss against masks `(N, grid, grid)`."""
        assert self._picture is not None  # noqa: S101 (a pass came before)
        picture = F.layer_norm(self._picture, self._picture.shape[-1:])
        logits = self.meant(picture).flatten(1)
        side = round(logits.shape[1] ** 0.5)
        cover = F.adaptive_avg_pool2d(masks[:, None], side)
        return mask_costs(logits.view(-1, 1, side, side), cover[:, 0]).mean()
