"""PNG files that ask for much, or lie."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache

from hostile.whole import (
    HEIGHT,
    WIDTH,
    Bomb,
    pixels,
    png_chunk,
    png_head,
    png_rows,
)

_END = png_chunk(b"IEND", b"")


@cache
def zeros(size: int) -> bytes:
    """``size`` zero bytes, deflated to a thousandth."""
    squeezer = zlib.compressobj(9)
    block = bytes(1 << 20)
    parts = [squeezer.compress(block) for _ in range(size >> 20)]
    return b"".join([*parts, squeezer.compress(bytes(size & 0xFFFFF)), squeezer.flush()])


def png_of(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    return png_head(width, height, depth, colour) + b"".join(chunks) + _END


def pixels_chunk() -> bytes:
    return png_chunk(b"IDAT", zlib.compress(png_rows(pixels())))


def png_sizes() -> Iterator[Bomb]:
    rows = png_chunk(b"IDAT", zeros(60_000 * 7_501 // 20))
    yield "png-60000x60000", "png", png_of(60_000, 60_000, rows, depth=1, colour=0), False
    yield "png-2147483647", "png", png_of(2**31 - 1, 2**31 - 1, pixels_chunk()), False
    yield "png-4294967295", "png", png_of(2**32 - 1, 2**32 - 1, pixels_chunk()), False
    yield "png-0x0", "png", png_of(0, 0, pixels_chunk()), False
    yield (
        "png-more-data-than-pixels",
        "png",
        png_of(64, 64, png_chunk(b"IDAT", zeros(1 << 28))),
        True,
    )
    yield (
        "png-at-the-limit",
        "png",
        png_of(2_000, 2_000, png_chunk(b"IDAT", zeros(12_002_000))),
        True,
    )
    yield (
        "png-over-the-limit",
        "png",
        png_of(2_001, 2_000, png_chunk(b"IDAT", zeros(12_008_000))),
        False,
    )
    slices = [png_chunk(b"IDAT", bytes([byte])) for byte in zlib.compress(png_rows(pixels()))]
    yield "png-a-byte-a-chunk", "png", png_of(WIDTH, HEIGHT, *slices), True
    empty = [png_chunk(b"IDAT", b"")] * 50_000
    yield "png-empty-chunks", "png", png_of(WIDTH, HEIGHT, *empty, pixels_chunk()), True


def png_texts() -> Iterator[Bomb]:
    def with_chunks(*chunks: bytes) -> bytes:
        return png_of(WIDTH, HEIGHT, *chunks, pixels_chunk())

    text = b"Comment\0" + b"\0" + zeros(1 << 28)
    yield "png-ztxt-bomb", "png", with_chunks(png_chunk(b"zTXt", text)), False
    many = [png_chunk(b"zTXt", b"Comment\0\0" + zeros((1 << 20) - 1))] * 200
    yield "png-ztxt-many", "png", with_chunks(*many), False
    international = b"Comment\0\1\0en\0\0" + zeros(1 << 28)
    yield "png-itxt-bomb", "png", with_chunks(png_chunk(b"iTXt", international)), False
    icc = b"profile\0\0" + zeros(1 << 28)
    yield "png-iccp-bomb", "png", with_chunks(png_chunk(b"iCCP", icc)), False
    hexed = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  8\n" + b"zz" * 5_000)
    yield "png-raw-profile-no-hex", "png", with_chunks(png_chunk(b"zTXt", hexed)), True
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + b'tiff:Orientation="' * 10_000
    yield "png-xmp-cut", "png", with_chunks(png_chunk(b"iTXt", xmp)), True
    private = [png_chunk(b"prVt", b"x" * 100)] * 20_000
    yield "png-private-chunks", "png", with_chunks(*private), True


def png_lies() -> Iterator[Bomb]:
    body = zlib.compress(png_rows(pixels()))
    for length in (0, 1, len(body) - 1, len(body) + 1, 2**31 - 1, 2**32 - 1):
        chunk = png_chunk(b"IDAT", body, length)
        yield f"png-idat-says-{length}", "png", png_of(WIDTH, HEIGHT, chunk), None
    for kind in (b"tRNS", b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"iCCP", b"eXIf", b"acTL", b"fcTL"):
        for size in (0, 1, 3, 1_000):
            chunk = png_chunk(kind, b"\xff" * size)
            name = f"png-{kind.decode()}-of-{size}"
            yield name, "png", png_of(WIDTH, HEIGHT, chunk, pixels_chunk()), None
    yield "png-palette-missing", "png", png_of(WIDTH, HEIGHT, pixels_chunk(), colour=3), None
    yield (
        "png-palette-of-1",
        "png",
        png_of(WIDTH, HEIGHT, png_chunk(b"PLTE", b"\0\0"), pixels_chunk(), colour=3),
        None,
    )
    yield "png-colour-7", "png", png_of(WIDTH, HEIGHT, pixels_chunk(), colour=7), None
    yield "png-depth-255", "png", png_of(WIDTH, HEIGHT, pixels_chunk(), depth=255), None
