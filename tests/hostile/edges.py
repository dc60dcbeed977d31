"""Images as long as their formats let them be, and headers that only say so."""

from __future__ import annotations

from collections.abc import Iterator

from hostile.jpegs import jpeg_of_size
from hostile.others import gif_of
from hostile.pngs import png_of, zeros
from hostile.whole import HEIGHT, WIDTH, Bomb, picture, png_chunk, saved


def edges() -> Iterator[Bomb]:
    for width, height, fits in ((65_535, 1, False), (1, 65_535, False), (65_535, 60, True)):
        rows = png_chunk(b"IDAT", zeros((width + 1) * height))
        yield f"png-{width}x{height}", "png", png_of(width, height, rows, colour=0), fits
    tall = png_chunk(b"IDAT", zeros(61 * 65_535))
    yield "png-60x65535", "png", png_of(60, 65_535, tall, colour=0), True
    strip = saved(picture("L").resize((65_500, 40)), "jpg", quality=20)
    yield "jpeg-65500x40", "jpg", strip, True
    for edge in (65_535, 65_500, 0):
        yield f"jpeg-says-{edge}", "jpg", jpeg_of_size(edge, edge), False
        yield f"jpeg-says-{edge}-wide", "jpg", jpeg_of_size(edge, HEIGHT), None
    yield "jpeg-says-65535-high", "jpg", jpeg_of_size(WIDTH, 65_535), None
    yield "gif-65535x65535", "gif", gif_of(65_535, 65_535), False
    yield "gif-65535x50", "gif", gif_of(65_535, 50), True
