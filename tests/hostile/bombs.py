"""Small files that ask for much, or lie: each made by hand, after the format's own description.

Sizes are chosen for a pool that accepts four million pixels and sides of 2,000 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from hostile.edges import edges
from hostile.jpeg2000 import jpeg2000_lies
from hostile.jpegs import exif_lies, jpeg_lies
from hostile.others import bmp_lies, gif_lies, ppm_lies, webp_lies
from hostile.pngs import png_lies, png_sizes, png_texts
from hostile.strangers import strangers
from hostile.tiffs import tiff_lies
from hostile.whole import Bomb


def bombs() -> Iterator[Bomb]:
    """All of them."""
    for make in _MAKERS:
        yield from make()


_MAKERS = (
    png_sizes,
    png_texts,
    png_lies,
    edges,
    exif_lies,
    jpeg_lies,
    tiff_lies,
    gif_lies,
    webp_lies,
    bmp_lies,
    ppm_lies,
    jpeg2000_lies,
    strangers,
)
