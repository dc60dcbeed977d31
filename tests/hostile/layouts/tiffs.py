"""TIFF files, written from the specification alone (Adobe, TIFF 6.0, 1992)."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import zstandard

from hostile.layouts.cell import (
    HEIGHT,
    Numbers,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
UNSPECIFIED, PREMULTIPLIED, STRAIGHT = 0, 1, 2
NONE, LZW, DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 8, 32_773, 34_925, 50_000

Tags = dict[int, tuple[int, Sequence[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the numbers of an image lie in its file; the names are those of TIFF's tags."""

    photometric: int = RGB
    bits: int = 8
    kind: int = UNSIGNED
    samples: int = 3
    extra: tuple[int, ...] = ()
    planar: bool = False
    compression: int = NONE
    predictor: int = 1
    order: str = "<"
    fill_order: int = 1
    tile: int = 0
    rows: int = HEIGHT
    orientation: int = 1
    more: Tags = field(default_factory=dict)

    def __str__(self) -> str:
        said = [f"photometric {self.photometric}", f"{self.samples} × {self.bits} bits"]
        names = {"kind": UNSIGNED, "extra": (), "planar": False, "compression": NONE}
        names |= {"predictor": 1, "order": "<", "fill_order": 1, "tile": 0, "rows": HEIGHT}
        names |= {"orientation": 1, "more": {}}
        said += [
            f"{name} {getattr(self, name)}"
            for name, usual in names.items()
            if getattr(self, name) != usual
        ]
        return ", ".join(said)


def tiff_file(values: Numbers, layout: Layout) -> bytes:
    """A TIFF of ``values``, (height, width, samples).

    Numbers below zero stand for themselves where samples are signed; floats are ``values``.
    """
    parts = [_squeezed(part, layout) for part in _parts(values, layout)]
    height, width, samples = values.shape
    starts = [8 + sum(map(len, parts[:number])) for number in range(len(parts))]
    tags: Tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [layout.bits] * samples),
        259: (3, [layout.compression]),
        262: (3, [layout.photometric]),
        274: (3, [layout.orientation]),
        277: (3, [samples]),
        284: (3, [2 if layout.planar else 1]),
    }
    if layout.tile:
        tags |= {322: (3, [layout.tile]), 323: (3, [layout.tile])}
        tags |= {324: (4, starts), 325: (4, [len(part) for part in parts])}
    else:
        tags |= {273: (4, starts), 278: (4, [layout.rows]), 279: (4, [len(part) for part in parts])}
    if layout.extra:
        tags[338] = (3, layout.extra)
    if layout.kind != UNSIGNED:
        tags[339] = (3, [layout.kind] * samples)
    if layout.predictor != 1:
        tags[317] = (3, [layout.predictor])
    if layout.fill_order != 1:
        tags[266] = (3, [layout.fill_order])
    return _file(b"".join(parts), tags | layout.more, layout.order)


def _file(body: bytes, tags: Tags, order: str) -> bytes:
    """Header, ``body`` from byte 8 on, one directory."""
    codes = {1: "B", 3: "H", 4: "I"}
    body += b"\0" * (len(body) % 2)
    start = 8 + len(body)
    behind = start + 2 + 12 * len(tags) + 4
    table, apart = struct.pack(f"{order}H", len(tags)), b""
    for number, (code, listed) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(listed)}{codes[code]}", *listed)
        place = packed.ljust(4, b"\0")
        if len(packed) > 4:
            place = struct.pack(f"{order}I", behind + len(apart))
            apart += packed + b"\0" * (len(packed) % 2)
        table += struct.pack(f"{order}HHI", number, code, len(listed)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", start) + body + table + bytes(4) + apart


def _parts(values: Numbers, layout: Layout) -> Iterator[bytes]:
    """Strips or tiles, plane after plane where there are planes."""
    planes = np.split(values, values.shape[2], axis=2) if layout.planar else [values]
    for plane in planes:
        if not layout.tile:
            for top in range(0, len(plane), layout.rows):
                yield _packed(plane[top : top + layout.rows], layout)
            continue
        high, wide = (-(-side // layout.tile) * layout.tile for side in plane.shape[:2])
        room = np.zeros((high, wide, plane.shape[2]), plane.dtype)
        room[: plane.shape[0], : plane.shape[1]] = plane
        for y, x in product(range(0, high, layout.tile), range(0, wide, layout.tile)):
            yield _packed(room[y : y + layout.tile, x : x + layout.tile], layout)


def _packed(values: Any, layout: Layout) -> bytes:
    """Rows of numbers as bytes; each row starts with a byte of its own."""
    if layout.predictor == 2:
        values = np.concatenate([values[:, :1], np.diff(values, axis=1)], axis=1)
        values = values % (1 << layout.bits)
    rows = values.reshape(len(values), -1)
    if layout.kind == FLOAT:
        raw = rows.astype(f"{layout.order}f{layout.bits // 8}").tobytes()
    elif layout.bits in {8, 16, 32}:
        whole = rows % (1 << layout.bits)
        raw = whole.astype(f"{layout.order}u{layout.bits // 8}").tobytes()
    else:
        places = np.arange(layout.bits - 1, -1, -1)
        bits = (rows[:, :, None] >> places & 1).reshape(len(rows), -1)
        raw = np.packbits(bits.astype(np.uint8), axis=1).tobytes()
    if layout.fill_order == 2:
        return bytes(int(f"{byte:08b}"[::-1], 2) for byte in raw)
    return raw


def _squeezed(raw: bytes, layout: Layout) -> bytes:
    if layout.compression == LZW:
        return _lzw(raw)
    if layout.compression == PACKBITS:
        cut = [raw[start : start + 128] for start in range(0, len(raw), 128)]
        return b"".join(bytes([len(piece) - 1]) + piece for piece in cut)
    if layout.compression == DEFLATE:
        return zlib.compress(raw)
    if layout.compression == LZMA:
        return lzma.compress(raw)
    if layout.compression == ZSTD:
        return zstandard.compress(raw)
    return raw


def _lzw(raw: bytes) -> bytes:
    """Each byte by itself in nine bits; the table is cleared before codes would need a tenth."""
    codes = []
    for place, byte in enumerate(raw):
        codes += [256] * (place % 200 == 0) + [byte]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
