"""PNG files of every colour type, depth and order of rows, written from its specification."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from hostile.layouts.cell import HEIGHT, WIDTH, Numbers
from hostile.whole import png_chunk

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6

#: Samples of each colour type, and the depths that it may have.
TYPES = {
    GREY: (1, (1, 2, 4, 8, 16)),
    RGB: (3, (8, 16)),
    PALETTE: (1, (1, 2, 4, 8)),
    GREY_ALPHA: (2, (8, 16)),
    RGBA: (4, (8, 16)),
}

#: Adam7: first column and row of each pass, and the steps between them.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def png_file(
    values: Numbers, colour_type: int, depth: int, *, interlaced: bool = False, more: bytes = b""
) -> bytes:
    """A PNG of ``values`` (HEIGHT, WIDTH, samples); ``more`` are chunks before the pixels."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    parts = (values[y::down, x::across] for x, y, across, down in passes)
    raw = b"".join(row for part in parts if part.size for row in _rows(part, depth))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour_type, 0, 0, interlaced)
    body = png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + more + body


def _rows(part: Numbers, depth: int) -> Iterator[bytes]:
    for row in part:
        if depth >= 8:
            yield b"\0" + row.astype(f">u{depth // 8}").tobytes()
        else:
            bits = row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1) & 1
            yield b"\0" + np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()
