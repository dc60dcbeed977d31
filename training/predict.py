"""Reads demo predictions the published way, for measuring and tests; serving has its own code.

score = sigmoid(class logit) x sigmoid(presence logit); a mask is where the sigmoid of its logits,
resized to the image, exceeds 0.5.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from transformers import PreTrainedTokenizerBase, Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

from training.scene_pool import normalise, squash

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Found:
    """The instances found for one prompt, best first."""

    #: float32 `(instances,)`, 0-1.
    scores: npt.NDArray[np.float32]
    #: bool `(instances, height, width)` at the image's resolution.
    masks: Mask


@torch.inference_mode()
def segment(
    model: Sam3Model,
    tokenizer: PreTrainedTokenizerBase,
    image: npt.NDArray[np.uint8],
    prompts: list[str],
    *,
    threshold: float = 0.5,
    overlap: float = 0.5,
) -> list[Found]:
    """Finds the instances of every prompt in one image; the vision tower runs once.

    Args:
        model: A Sam3Model in float32.
        tokenizer: Its tokenizer.
        image: uint8 `(height, width, 3)`, RGB.
        prompts: What to look for.
        threshold: The least score kept.
        overlap: The largest mask IoU with a better instance of the same prompt; 1 keeps all.

    Returns:
        One entry a prompt, in their order.
    """
    device = model.device
    pixels = normalise(squash(image, model.config.image_size)[None].to(device))
    vision = model.get_vision_features(pixels)
    tokens = tokenizer(prompts, padding=True, return_tensors="pt").to(device)
    ids, attention = tokens["input_ids"], tokens["attention_mask"]
    text = model.get_text_features(input_ids=ids, attention_mask=attention).pooler_output
    count = len(prompts)
    shared = Sam3VisionEncoderOutput(
        fpn_hidden_states=tuple(
            level.expand(count, -1, -1, -1) for level in vision.fpn_hidden_states
        ),
        fpn_position_encoding=tuple(
            level.expand(count, -1, -1, -1) for level in vision.fpn_position_encoding
        ),
    )
    outputs = model(
        vision_embeds=shared,
        text_embeds=BaseModelOutputWithPooling(pooler_output=text),
        attention_mask=attention,
    )
    scores = outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid()
    return [
        _read(scores[row], outputs.pred_masks[row], image.shape[:2], threshold, overlap)
        for row in range(len(prompts))
    ]


def _read(
    scores: torch.Tensor,
    mask_logits: torch.Tensor,
    size: tuple[int, ...],
    threshold: float,
    overlap: float,
) -> Found:
    """Reads one prompt: scores `(Q,)`, mask logits `(Q, grid, grid)`, (height, width) in pixels."""
    order = scores.argsort(descending=True)
    order = order[scores[order] > threshold]
    if len(order) == 0:
        return Found(np.zeros(0, np.float32), np.zeros((0, *size), bool))
    soft = mask_logits[order].sigmoid()[None]
    masks = (F.interpolate(soft, size, mode="bilinear", align_corners=False)[0] > 0.5).cpu().numpy()
    kept = suppress(masks, overlap)
    return Found(scores[order].cpu().numpy()[kept], masks[kept])


def suppress(masks: Mask, overlap: float) -> list[int]:
    """Returns which masks (best first) overlap no better kept one by more than `overlap` IoU."""
    kept: list[int] = []
    for index, mask in enumerate(masks):
        if all(mask_iou(mask, masks[other]) <= overlap for other in kept):
            kept.append(index)
    return kept


def mask_iou(left: Mask, right: Mask) -> float:
    """Returns the IoU of two bool `(height, width)` masks; 0 if both are empty."""
    union = int((left | right).sum())
    return int((left & right).sum()) / union if union else 0.0
