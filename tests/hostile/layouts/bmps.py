"""BMP files, written from Microsoft's description of their headers."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hostile.layouts.cell import HEIGHT, WIDTH

PLAIN, BITFIELDS = 0, 3

#: OS/2's header; Windows 3's; the same with masks for colours, with alpha; versions 4 and 5.
HEADS = (12, 40, 52, 56, 108, 124)


@dataclass(frozen=True, slots=True, kw_only=True)
class BmpLayout:
    """How the numbers lie.

    Attributes:
        head: Bytes of the header; see ``HEADS``.
        bits: A pixel.
        masks: Which bits hold red, green, blue (and alpha).
        top_down: The first row comes first.
        palette: RGB (n, 3) of the colours that are listed.
    """

    head: int = 40
    bits: int = 24
    masks: tuple[int, ...] = ()
    top_down: bool = False
    palette: npt.NDArray[np.uint8] | None = None


def bmp_file(values: npt.NDArray[np.integer], layout: BmpLayout) -> bytes:
    """A BMP of ``values``, (HEIGHT, WIDTH): a number for each pixel, as the masks take it apart."""
    rows = [_row(row, layout.bits) for row in values]
    body = b"".join(rows if layout.top_down else reversed(rows))
    info, colours = _info(layout), _colours(layout)
    start = 14 + len(info) + len(colours)
    head = struct.pack("<IHHI", start + len(body), 0, 0, start)
    return b"BM" + head + info + colours + body


def _info(layout: BmpLayout) -> bytes:
    if layout.head == 12:
        return struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, layout.bits)
    listed = 0 if layout.palette is None else len(layout.palette)
    kind = BITFIELDS if layout.masks else PLAIN
    height = -HEIGHT if layout.top_down else HEIGHT
    info = struct.pack(
        "<IiiHHIIiiII", layout.head, WIDTH, height, 1, layout.bits, kind, 0, 0, 0, listed, 0
    )
    masks = struct.pack(f"<{len(layout.masks)}I", *layout.masks)
    return (info + masks).ljust(layout.head, b"\0")


def _colours(layout: BmpLayout) -> bytes:
    if layout.palette is None:
        return b""
    behind = b"" if layout.head == 12 else b"\0"
    return b"".join(colour[::-1].tobytes() + behind for colour in layout.palette)


def _row(row: npt.NDArray[np.integer], bits: int) -> bytes:
    places = np.arange(bits - 1, -1, -1)
    if bits < 8:
        raw = np.packbits((row[:, None] >> places & 1).reshape(-1).astype(np.uint8)).tobytes()
    else:
        raw = b"".join(int(value).to_bytes(bits // 8, "little") for value in row)
    return raw + b"\0" * (-len(raw) % 4)
