"""Pixels on their way into a model: resize and normalise without torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from maskpool.ports import Image


def upload(image: Image, device: torch.device) -> torch.Tensor:
    """Copy an image to the device as it is: uint8 (1, 3, height, width), channels last."""
    # torch does not accept read-only memory, which arrays of Pillow's images may be.
    pixels = torch.from_numpy(np.require(image, dtype=np.uint8, requirements=["C", "W"]))
    if device.type == "cuda":
        pixels = _pinned(pixels)
    return pixels.to(device, non_blocking=True).permute(2, 0, 1)[None]


def _pinned(pixels: torch.Tensor) -> torch.Tensor:
    """A pinned copy, from which the device copies without blocking, if memory can be pinned."""
    try:
        return pixels.pin_memory()
    except torch.AcceleratorError:  # none is left; a lost device would fail in the copy as well
        return pixels


def resize(pixels: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    """Resize with antialiasing, rounding to whole levels as image libraries do.

    Args:
        pixels: uint8 (n, 3, height, width).
        size: ``(height, width)`` wanted.
        mode: ``bilinear`` or ``bicubic``.

    Returns:
        uint8 (n, 3, *size).
    """
    if pixels.device.type == "cpu":
        return _interpolate(pixels, size, mode)
    # CUDA has no uint8 kernel; the difference is one level in some pixels.
    return _interpolate(pixels.float(), size, mode).round_().clamp_(0, 255).to(torch.uint8)


def _interpolate(pixels: torch.Tensor, size: tuple[int, int], mode: str) -> torch.Tensor:
    return functional.interpolate(pixels, size, mode=mode, align_corners=False, antialias=True)


@dataclass(frozen=True, slots=True)
class Square:
    """An image as SAM3 takes it, on the device.

    Attributes:
        pixels: uint8 (1, 3, side, side).
        size: ``(height, width)`` of the image it was, pixels.
        copied: Event that passes once the device has made it; None where that was awaited.
    """

    pixels: torch.Tensor
    size: tuple[int, int]
    copied: torch.cuda.Event | None = None


class Squares:
    """Squashes images to squares on the device, in advance and from any thread.

    On CUDA this runs on a stream of its own: an image is copied and resized while the model works
    on those before it.

    Args:
        side: Pixels of a square's side.
        device: Where resizing happens.
    """

    def __init__(self, side: int, device: torch.device) -> None:
        self._side = side
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def make(self, image: Image) -> Square:
        """Squash one image.

        Args:
            image: RGB uint8 (height, width, 3).
        """
        size = (image.shape[0], image.shape[1])
        if self._stream is None:
            return Square(self._resized(image), size)
        with torch.cuda.stream(self._stream):
            pixels = self._resized(image)
            return Square(pixels, size, self._stream.record_event())

    def _resized(self, image: Image) -> torch.Tensor:
        return resize(upload(image, self._device), (self._side, self._side), "bilinear")

    def stacked(self, squares: Sequence[Square]) -> torch.Tensor:
        """What the model reads: float32 (squares, 3, side, side) in [-1, 1]."""
        for square in squares:
            if square.copied is not None:
                here = torch.cuda.current_stream(self._device)
                here.wait_event(square.copied)
                # Allocated on the other stream: not to be reused before this one is done.
                square.pixels.record_stream(here)
        return torch.cat([square.pixels for square in squares]).float().sub_(127.5).div_(127.5)
