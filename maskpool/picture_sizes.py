"""How large the small pictures of an image are; its masks are scaled alike, so they lie on them."""

from __future__ import annotations

#: Pixels that a small picture has at most, either way.
THUMBNAIL_SIDE = 320
VIEW_SIDE = 2_048

#: Bytes of one picture, or of the masks of one answer, that a process may make.
MAX_BYTES = 16 * 1024 * 1024


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of an image made to fit a square; one that fits already stays as it is.

    The longer side becomes ``side``; the other one is rounded to the nearest, halves up, in whole
    numbers, so that a page in another language gets the same.

    Args:
        width: Pixels of the image, after EXIF orientation.
        height: Likewise.
        side: Pixels of the square.
    """
    longer = max(width, height)
    if longer <= side:
        return width, height
    shorter = max(1, (2 * min(width, height) * side + longer) // (2 * longer))
    return (side, shorter) if width >= height else (shorter, side)
