"""Pixels on their way into a model: resize and normalise without torchvision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from maskpool.ports import Image


def upload(image: Image, device: torch.device) -> torch.Tensor:
    """Copy an image to the device as it is: uint8 (1, 3, height, width), channels last."""
    # torch refuses to look at memory that it may not write, as PIL's arrays are.
    pixels = torch.from_numpy(np.require(image, dtype=np.uint8, requirements=["C", "W"]))
    return pixels.to(device, non_blocking=True).permute(2, 0, 1)[None]


def resize(pixels: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    """Resize with antialiasing, rounding to whole levels as image libraries do.

    Args:
        pixels: uint8 (n, 3, height, width).
        size: ``(height, width)`` wanted.
        mode: ``bilinear`` or ``bicubic``.

    Returns:
        uint8 on the CPU, float32 with whole values in [0, 255] elsewhere.
    """
    if pixels.device.type == "cpu":
        return _interpolate(pixels, size, mode)
    # CUDA has no uint8 kernel; the difference is one level in some pixels.
    return _interpolate(pixels.float(), size, mode).round_().clamp_(0, 255)


def _interpolate(pixels: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    return functional.interpolate(pixels, size, mode=mode, align_corners=False, antialias=True)


def to_squares(images: Sequence[Image], side: int, device: torch.device) -> torch.Tensor:
    """SAM3's input: squashed to a square, values in [-1, 1].

    Args:
        images: RGB uint8 arrays (height, width, 3); sizes may differ.
        side: Pixels of the square's side.
        device: Where resizing happens.

    Returns:
        float32 (images, 3, side, side).
    """
    squares = [resize(upload(image, device), (side, side), "bilinear") for image in images]
    return torch.cat(squares).float().sub_(127.5).div_(127.5)
