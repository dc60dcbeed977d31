"""The stock way to use SAM3: ``Sam3Model`` as transformers documents it, one prompt a call.

A batch of images and one prompt go through the whole forward pass, then the published
post-processing, then RLE of each mask. Written down here because the published processor needs
torchvision; the arithmetic is that of ``image_processing_sam3.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bench.forced import Forced
from maskpool import rle
from maskpool.domain import SCORE_FLOOR
from workers.models.precision import precision


class Stock:
    """One prompt a call.

    Args:
        model: A ``Sam3Model`` on its device.
        tokenizer: Its own.
        forced: Instances to use where the model finds none; None uses the model's own.
    """

    def __init__(self, model: Any, tokenizer: Any, forced: Forced | None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._forced = forced

    @torch.inference_mode()
    def segment(self, images: Sequence[np.ndarray], texts: Sequence[str], prompts: int) -> None:
        """Find ``texts`` one by one; ``prompts`` is how many the cell has in all."""
        for text in texts:
            tokens = self._tokenizer(
                [text] * len(images), padding="max_length", max_length=32, return_tensors="pt"
            ).to(self._model.device)
            with precision(self._model.device):
                output = self._model(
                    pixel_values=self._pixels(images),
                    input_ids=tokens["input_ids"],
                    attention_mask=tokens["attention_mask"],
                )
            self._post_process(output, images, prompts)

    @torch.inference_mode()
    def vision(self, images: Sequence[np.ndarray]) -> None:
        """The vision pass alone."""
        with precision(self._model.device):
            self._model.get_vision_features(self._pixels(images))

    def _pixels(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        side = self._model.config.image_size
        resize: dict[str, Any] = {"mode": "bilinear", "align_corners": False, "antialias": True}
        squares = []
        for one in images:
            pixels = torch.from_numpy(one).to(self._model.device).permute(2, 0, 1)[None]
            source = pixels.float() if pixels.is_cuda else pixels
            squares.append(functional.interpolate(source, (side, side), **resize))
        return (torch.cat(squares).float() - 127.5) / 127.5

    def _post_process(self, output: Any, images: Sequence[np.ndarray], prompts: int) -> None:
        scores = output.pred_logits.float().sigmoid() * output.presence_logits.float().sigmoid()
        masks = output.pred_masks.float().sigmoid()
        for image, of_image, found in zip(images, scores, masks, strict=True):
            kept = found[of_image > SCORE_FLOOR]
            if self._forced:
                kept = self._forced.maps(self._forced.count(prompts), found)
            if len(kept):
                size = image.shape[:2]
                whole = functional.interpolate(kept[None], size=size, mode="bilinear")[0] > 0.5
                for mask in whole.cpu().numpy():
                    rle.encode(mask)
