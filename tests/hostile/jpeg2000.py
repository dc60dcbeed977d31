"""JPEG 2000 and AVIF files whose parts contradict each other."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image as Pillow

from hostile.whole import HEIGHT, WIDTH, Bomb, picture, saved


def jpeg2000_lies() -> Iterator[Bomb]:
    for components in (5, 255, 16_384):
        yield f"jp2-of-{components}-components", "jp2", jp2_says(components=components), False
    yield "jp2-of-65535-tiles", "jp2", jp2_says(tile=1, size=(1_000, 65)), False
    yield "jp2-of-4-million-tiles", "jp2", jp2_says(tile=1, size=(2_000, 2_000)), False
    yield "jp2-stream-of-8000x8000", "jp2", jp2_says(stream=(8_000, 8_000)), False
    yield "jp2-precincts-of-2", "jp2", fine_precincts(256, 1), False
    yield (
        "jp2-marker-unknown",
        "jp2",
        saved(picture(), "jp2").replace(b"\xff\x5c", b"\xff\x31", 1),
        False,
    )
    yield "jp2-box-of-0", "jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(2_000), False
    large = Pillow.new("RGB", (4_000, 4_000))
    yield "avif-says-48x40", "avif", avif_says(saved(large, "avif", speed=10)), None
    yield "jp2-tile-of-4294967295", "jp2", jp2_says(tile=2**32 - 1), None
    yield "jp2-2147483647", "jp2", jp2_says(size=(2**31 - 1, 2**31 - 1)), False
    yield "jp2-deep-38", "jp2", jp2_says(depth=37), None


def jp2_says(
    *,
    components: int = 3,
    tile: int = 0,
    size: tuple[int, int] | None = None,
    stream: tuple[int, int] | None = None,
    depth: int = 7,
) -> bytes:
    """A JPEG 2000 whose boxes say one thing and whose code stream says another."""
    data = saved(picture(), "jp2")
    start = data.index(b"\xff\x4f\xff\x51")
    length = struct.unpack_from(">H", data, start + 4)[0]
    numbers = list(struct.unpack_from(">HIIIIIIII", data, start + 6))
    if size:
        numbers[1], numbers[2] = size
        data = data.replace(struct.pack(">II", HEIGHT, WIDTH), struct.pack(">II", size[1], size[0]))
    if stream:
        numbers[1:3] = stream
    if tile:
        numbers[5], numbers[6] = tile, tile
    each = bytes([depth, 1, 1])
    marker = struct.pack(">HIIIIIIIIH", *numbers, components) + each * components
    head = data[:start] + b"\xff\x4f\xff\x51" + struct.pack(">H", min(len(marker) + 2, 65_535))
    return head + marker + data[start + 4 + length :]


def fine_precincts(side: int, exponent: int) -> bytes:
    """A JPEG 2000 whose COD marker is longer by one byte a resolution: its precincts."""
    data = saved(picture("L").resize((side, side)), "jp2")
    start = data.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", data, start + 2)
    marker = bytearray(data[start : start + 2 + length])
    sizes = bytes([exponent | exponent << 4]) * (marker[9] + 1)
    marker[4] |= 1
    struct.pack_into(">H", marker, 2, length + len(sizes))
    return data[:start] + bytes(marker) + sizes + data[start + 2 + length :]


def avif_says(data: bytes) -> bytes:
    """Another size in its box than in its pictures."""
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", WIDTH, HEIGHT) + data[place + 8 :]
