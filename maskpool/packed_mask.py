"""A mask as it is kept and handed on: text, which takes no numpy to carry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rle:
    """A mask as COCO compressed RLE.

    Attributes:
        size: ``(height, width)`` of the whole image, pixels.
        counts: The compressed runs.
    """

    size: tuple[int, int]
    counts: str
