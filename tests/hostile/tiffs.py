"""TIFF files that ask for much, or lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from hostile.jpegs import ifd
from hostile.pngs import zeros
from hostile.whole import HEIGHT, WIDTH, Bomb, picture, saved, tiff


def tiff_lies() -> Iterator[Bomb]:
    for name, code, body in (
        ("raw", 1, bytes(1 << 16)),
        ("deflate", 8, zeros(1 << 28)),
        ("lzw", 5, bytes(1 << 16)),
        ("packbits", 32_773, b"\x81\0" * 50_000),
    ):
        tags = {322: (4, [16_000]), 323: (4, [16_000]), 324: (4, [8]), 325: (4, [len(body)])}
        yield f"tiff-{name}-tile-of-16000", "tif", tiff(body, {**tags, 259: (3, [code])}), False
    yield from _two_readers()
    rows = zlib.compress(bytes(HEIGHT * WIDTH * 3 + 1)) + zeros(1 << 26)
    for high in (41, 1_000_000, 2**32 - 1):
        tags = {259: (3, [8]), 278: (4, [high]), 279: (4, [len(rows)])}
        yield f"tiff-strip-of-{high}-rows", "tif", tiff(rows, tags), None
    yield "tiff-strip-counts-huge", "tif", tiff(tags={279: (4, [2**32 - 1])}), None
    yield "tiff-strip-beyond", "tif", tiff(tags={273: (4, [2**31])}), None
    yield (
        "tiff-100000-strips",
        "tif",
        tiff(tags={273: (4, [8] * 100_000), 279: (4, [5_760] * 100_000)}),
        None,
    )
    yield "tiff-60000x60000", "tif", tiff(tags={256: (4, [60_000]), 257: (4, [60_000])}), None
    yield "tiff-2147483647", "tif", tiff(tags={256: (4, [2**31 - 1]), 257: (4, [1])}), None
    yield "tiff-65535-samples", "tif", tiff(tags={277: (3, [65_535])}), None
    yield "tiff-depth-65535", "tif", tiff(tags={258: (3, [65_535] * 3)}), None
    yield "tiff-tile-0", "tif", tiff(tags={322: (3, [0]), 323: (3, [0]), 324: (4, [8])}), None
    yield (
        "tiff-rows-0",
        "tif",
        tiff(tags={259: (3, [5])}).replace(b"\x16\1\3\0\1\0\0\0\x28", b"\x16\1\3\0\1\0\0\0\0"),
        None,
    )
    whole = tiff()
    start = struct.unpack_from("<I", whole, 4)[0]
    yield "tiff-next-is-itself", "tif", tiff(after=start), True
    yield "tiff-next-is-nowhere", "tif", tiff(after=2**32 - 1), True
    yield "tiff-directory-beyond", "tif", b"II*\0" + struct.pack("<I", 2**31) + whole[8:], None
    yield "tiff-5000-directories", "tif", _chained(5_000), True
    greedy = [struct.pack("<HHII", 1_000 + n, 7, 900_000, 8) for n in range(50_000)]
    body = b"II*\0\x08\0\0\0" + ifd(greedy) + bytes(1 << 20)
    yield "tiff-greedy-tags", "tif", body, None
    for code in (2, 3, 4, 6, 7, 9, 34_676, 34_712, 34_925, 50_000, 50_001, 65_535):
        yield f"tiff-compression-{code}", "tif", tiff(tags={259: (3, [code])}), None
    for predictor in (2, 3, 65_535):
        tags = {259: (3, [8]), 317: (3, [predictor]), 279: (4, [1 << 20])}
        yield f"tiff-predictor-{predictor}", "tif", tiff(zeros(1 << 24), tags), None


def _two_readers() -> Iterator[Bomb]:
    """A modest tile for whoever looks, and one of 16,000 × 16,000 for whoever decodes."""
    body = zeros(1 << 28)
    modest = {322: (3, [48]), 323: (3, [48]), 324: (4, [8]), 325: (4, [len(body)]), 259: (3, [8])}
    large = [struct.pack("<HHII", tag, 4, 1, 16_000) for tag in (322, 323)]
    whole = tiff(body, modest)
    yield "tiff-tile-twice-large-first", "tif", doubled(whole, large, first=True), False
    yield "tiff-tile-twice-large-last", "tif", doubled(whole, large, first=False), False
    yield "tiff-width-twice", "tif", doubled(tiff(), [_entry(256, 3, WIDTH)], first=True), False
    yield "tiff-tile-signed-64", "tif", signed_tile(16_000), False
    lone = [_entry(1_000, 3, 1)]
    yield "tiff-own-tag-once", "tif", doubled(tiff(), lone, first=False), True
    yield "tiff-own-tag-twice", "tif", doubled(tiff(), lone * 2, first=False), False
    big = saved(picture(), "tif", big_tiff=True)
    yield "tiff-big-highest-first", "tif", b"MM\0\x2b\0\x08\0\0" + big[8:], False


def _entry(tag: int, kind: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, 1, value)


def doubled(whole: bytes, more: list[bytes], *, first: bool) -> bytes:
    """A TIFF with entries beside those that its directory has; they lie where they are told to."""
    (start,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, start)
    own = [whole[start + 2 + 12 * n : start + 14 + 12 * n] for n in range(count)]
    place = struct.pack("<I", len(whole))
    return whole[:4] + place + whole[8:] + ifd([*more, *own] if first else [*own, *more])


def signed_tile(side: int) -> bytes:
    """Sides in signed numbers of 64 bits, a kind that libtiff knows, and Pillow passes over."""
    body = struct.pack("<q", side) + zeros(1 << 28)
    whole = tiff(body, {324: (4, [16]), 325: (4, [len(body) - 8]), 259: (3, [8])})
    return doubled(whole, [struct.pack("<HHII", tag, 17, 1, 8) for tag in (322, 323)], first=False)


def _chained(count: int) -> bytes:
    """A page whose directory is followed by ``count`` others, all alike."""
    whole = bytearray(tiff())
    (start,) = struct.unpack_from("<I", whole, 4)
    entries = struct.unpack_from("<H", whole, start)[0]
    directory = bytes(whole[start : start + 2 + 12 * entries])
    struct.pack_into("<I", whole, start + len(directory), len(whole))
    for number in range(count):
        after = len(whole) + len(directory) + 4 if number + 1 < count else 0
        whole += directory + struct.pack("<I", after)
    return bytes(whole)
