"""The crop of an instance that CLIP sees; without torch, so that the pipeline imports quickly."""

from __future__ import annotations

from maskpool.ports import Image


def crop_for_clip(
    image: Image, box_xyxy: tuple[float, float, float, float], context: float = 0.1
) -> Image:
    """Cut the square that CLIP is to look at: the box in the middle, with context around it.

    A box with its surroundings rather than the masked object: CLIP has never seen objects cut out
    on black. A square, because CLIP's own preprocessing cuts the longer side off. The square is
    moved, not shrunk, where it leaves the image; where the image is smaller than the square, the
    square is clipped to it.

    Args:
        image: RGB uint8 (height, width, 3).
        box_xyxy: Absolute pixels, right and bottom exclusive.
        context: Added on each side, relative to the box's longer side.

    Returns:
        RGB uint8, a view of ``image``, at least one pixel in each direction.
    """
    x0, y0, x1, y1 = box_xyxy
    side = max(x1 - x0, y1 - y0) * (1 + 2 * context)
    height, width = image.shape[:2]
    left, right = _window((x0 + x1) / 2, side, width)
    top, bottom = _window((y0 + y1) / 2, side, height)
    return image[top:bottom, left:right]


def _window(middle: float, side: float, extent: int) -> tuple[int, int]:
    length = min(max(1, round(side)), extent)
    start = min(max(0, round(middle - length / 2)), extent - length)
    return start, start + length
