"""Masks as a browser draws them: a picture of one bit a pixel, or rings of points."""

from __future__ import annotations

import io
from threading import Lock

from maskpool.packed_mask import Rle

#: A mask of 100 megapixels takes 300 MB for a moment: one at a time in a process.
_ONE_AT_A_TIME = Lock()


def mask_png(mask: Rle) -> bytes:
    """A mask in the size of its image, white on black."""
    # numpy and Pillow at the first picture: most processes draw none.
    from PIL import Image  # noqa: PLC0415

    from maskpool import rle  # noqa: PLC0415

    file = io.BytesIO()
    with _ONE_AT_A_TIME:
        Image.fromarray(rle.decode(mask)).save(file, "PNG")
    return file.getvalue()


def polygons(mask: Rle) -> list[list[tuple[int, int]]]:
    """Rings of corners, x and y in pixels; what an odd number of them encloses is the mask."""
    from maskpool.outline import rings  # noqa: PLC0415 - as above

    return rings(mask)
