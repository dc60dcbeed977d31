"""The published way from one image and one prompt to masks, as transformers documents it.

``Sam3ImageProcessor`` needs torchvision, so its few lines are written down again here, from
``image_processing_sam3.py`` (``post_process_instance_segmentation``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Published:
    """What the published post-processing returns for one image and one prompt, best first."""

    scores: np.ndarray
    masks: np.ndarray


def post_process(output: Any, size: tuple[int, int], threshold: float) -> Published:
    scores = (output.pred_logits.float().sigmoid() * output.presence_logits.float().sigmoid())[0]
    masks = output.pred_masks.float().sigmoid()[0]
    keep = scores > threshold
    scores, masks = scores[keep], masks[keep]
    if len(masks):
        masks = functional.interpolate(
            masks[None], size=size, mode="bilinear", align_corners=False
        )[0]
    order = torch.argsort(scores, descending=True, stable=True)
    return Published(scores[order].cpu().numpy(), (masks > 0.5)[order].cpu().numpy())


@torch.inference_mode()
def segment_one(
    model: Any, tokenizer: Any, image: np.ndarray, prompt: str, threshold: float = 0.05
) -> Published:
    """One forward pass with pixels and ids: nothing shared, nothing cached."""
    side = model.config.image_size
    pixels = torch.from_numpy(image.copy()).to(model.device).permute(2, 0, 1)[None]
    pixels = pixels.float() if pixels.is_cuda else pixels  # CUDA has no uint8 kernel
    pixels = functional.interpolate(
        pixels, (side, side), mode="bilinear", align_corners=False, antialias=True
    ).round()
    text = tokenizer([prompt], padding="max_length", max_length=32, return_tensors="pt").to(
        model.device
    )
    output = model(
        pixel_values=(pixels.float() - 127.5) / 127.5,
        input_ids=text["input_ids"],
        attention_mask=text["attention_mask"],
    )
    return post_process(output, image.shape[:2], threshold)
